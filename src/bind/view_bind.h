// A tensor as it crosses: block, offset, rows, columns, stride, dtype, in six numbers; a block of -1 alone is an absent view.
#pragma once
#include "instance.h"
#include "values.h"

namespace transweld {

struct BoundView {
  std::shared_ptr<Block> block;   // null: absent
  tw_view view = {};
  bool is_whole = false;          // all of the block
};

// Always checked: the block is alive, is of this engine, and holds every element of the view.
BoundView read_view(Instance&, const Engine&, Numbers&);

uint64_t dtype_bytes(uint32_t dtype);   // Fault where there is no such dtype

// Whether two views of one block touch the same element.
bool overlaps(const tw_view&, const tw_view&);

}   // namespace transweld
