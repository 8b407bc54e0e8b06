// The ops of the CUDA backend; table.cu fills the table from them. Each lives in the file of its name and has the signature
// of op_table.h with its args typed.
#pragma once
#include "context.h"

// stem, in the order of tw_op_table
#define TW_CUDA_OPS(X) \
  X(sparse_encode) X(sparse_decode) X(sparse_sample) X(feature_major) X(sparse_scatter) X(screen_rows) \
  X(recon_loss) X(adam_step) X(unit_rows) X(fill_random) X(fill) X(gather_rows) X(cast) X(row_moments) X(axpy) X(reduce_rows) \
  X(matmul) X(embed_rows) X(norm) X(attend) X(token_loss) \
  X(norm_frozen) X(rope) X(gate) X(scatter_rows) X(attend_pattern) X(attend_frozen)

namespace transweld {

#define TW_DECLARE(stem) tw_status stem(tw_context*, const tw_##stem##_args&);
TW_CUDA_OPS(TW_DECLARE)
#undef TW_DECLARE

// Bytes of a shadow (shadow.h), 0 where there is no such screen for these columns.
uint64_t screen_bytes(uint32_t screen, uint64_t rows, uint64_t columns);

}   // namespace transweld
