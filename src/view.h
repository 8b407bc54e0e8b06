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
