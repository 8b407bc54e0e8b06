// One row an op: what its arguments are and where they lie in the C struct. The binding walks rows and knows no op by name.
#pragma once
#include <cstddef>
#include <cstdint>
#include "../op_table.h"

namespace transweld {

enum class Kind : uint8_t { u32, u64, f32, in, out, inout };

struct Field {
  const char* name;       // as in op_table.h
  Kind kind;
  bool is_optional;       // a view that may be absent
  uint16_t offset;        // in the args struct
  uint16_t flag;          // offset of 32 bits that make the view inout when they are not zero; 0: none
};

struct Row {
  const char* name;       // the stem
  tw_op* tw_op_table::*entry;
  uint32_t bytes;         // of the args struct
  bool may_alias;         // an output may be an input itself
  const Field* fields;
  uint32_t field_count;
};

extern const Row kRows[];
extern const uint32_t kRowCount;

inline bool is_view(Kind kind) { return kind >= Kind::in; }
const char* kind_name(Kind);

}   // namespace transweld
