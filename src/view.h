/* A view: how every op sees memory. Data, shape, row stride, dtype; never owns. */
#pragma once
#include <stdint.h>

typedef enum tw_dtype {
  TW_F32 = 0, TW_BF16 = 1, TW_F16 = 2, TW_I8 = 3, TW_U32 = 4, TW_U64 = 5
} tw_dtype;

/*   data ─► row 0: columns elements ┊ stride − columns elements of someone else's
 *           row 1: …
 * An absent optional view has data = 0. A view of zero rows is legal everywhere and has any data. */
typedef struct tw_view {
  void* data;       /* device memory, aligned to the element */
  uint64_t rows;
  uint64_t columns;
  uint64_t stride;  /* elements from one row to the next, >= columns */
  uint32_t dtype;   /* tw_dtype */
  uint32_t reserved;
} tw_view;

/* Bytes of an element; 0 of what is no dtype. */
static inline uint64_t tw_dtype_bytes(uint32_t dtype) {
  switch (dtype) {
    case TW_F32: case TW_U32: return 4;
    case TW_BF16: case TW_F16: return 2;
    case TW_I8: return 1;
    case TW_U64: return 8;
    default: return 0;
  }
}

static inline const char* tw_dtype_name(uint32_t dtype) {
  switch (dtype) {
    case TW_F32: return "f32";
    case TW_BF16: return "bf16";
    case TW_F16: return "f16";
    case TW_I8: return "i8";
    case TW_U32: return "u32";
    case TW_U64: return "u64";
    default: return "unknown dtype";
  }
}
