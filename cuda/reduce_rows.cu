// out[c] = scale · (row sum of x[:, c]), x [N, D] f32: chunks of 256 rows side by side, then the chunks in order.
//
//   bytes: 4·N·D read, D·N/32 written and read again; N·D additions: bound by memory, or by latency where N·D is small: a
//          thread has one column of one chunk, 32 loads under way, so that a chunk takes eight round trips to memory
#include "ops.h"
#include "tile.h"
#include "device/rowsum.h"

namespace transweld {
namespace {

using namespace tile::reduce_rows;

// sums[chunk][c]; with a single chunk there is nothing to add up: then this is the whole op, scale included.
__global__ void __launch_bounds__(kThreads)
reduce_rows_chunks_kernel(const float* x, uint64_t rows, uint64_t columns, uint64_t stride, float scale, float* sums) {
  const uint64_t strips = blocks_of(columns, kThreads), items = strips * chunks_of(rows);
  for (uint64_t item = blockIdx.x; item < items; item += gridDim.x) {
    const uint64_t chunk = item / strips, c = item % strips * kThreads + threadIdx.x;
    if (c >= columns) continue;
    const float* from = x + chunk * kChunk * stride + c;
    float sum = 0;
    in_order<kAhead>(chunk_size(chunk, rows), [&](unsigned r) { return from[r * stride]; }, [&](float value, unsigned) { sum += value; });
    sums[chunk * columns + c] = items == strips ? scale * sum : sum;
  }
}

// out[c] of any number of chunks but one; none is a sum of +0.
__global__ void __launch_bounds__(kThreads)
reduce_rows_total_kernel(const float* sums, uint64_t chunks, uint64_t columns, float scale, float* out) {
  for (uint64_t c = uint64_t{blockIdx.x} * kThreads + threadIdx.x; c < columns; c += uint64_t{gridDim.x} * kThreads) {
    float total = chunks ? sums[c] : 0;
    if (chunks) {
      in_order<kAhead>(static_cast<unsigned>(chunks - 1), [&](unsigned i) { return sums[(i + uint64_t{1}) * columns + c]; },
                       [&](float sum, unsigned) { total += sum; });
    }
    out[c] = scale * total;
  }
}

}   // namespace

tw_status reduce_rows(tw_context* context, const tw_reduce_rows_args& a) {
  const uint64_t rows = a.x.rows, columns = a.x.columns, chunks = chunks_of(rows);
  Check check{context};
  check.view("x", a.x, {TW_F32, rows, columns}).view("out", a.out, {TW_F32, 1, columns});
  check.that(chunks <= UINT32_MAX, "at most 2^40 rows", "x", rows);
  if (check.status || !columns) return check.status;
  float* sums = f32(a.out);
  if (chunks > 1) {
    const size_t bytes = chunks * columns * sizeof(float);
    sums = static_cast<float*>(scratch(context, bytes));
    if (!sums) return out_of_scratch(context, bytes);
  }
  cudaError_t error = cudaSuccess;
  if (chunks) {
    error = launch(reduce_rows_chunks_kernel, grid_of(chunks * blocks_of(columns, kThreads)), kThreads, 0, stream(context), f32(a.x), rows,
                   columns, a.x.stride, a.scale, sums);
  }
  if (error != cudaSuccess || chunks == 1) return launched(context, error, "reduce_rows_chunks_kernel");
  error = launch(reduce_rows_total_kernel, grid_of(columns, kThreads), kThreads, 0, stream(context), sums, chunks, columns, a.scale,
                 f32(a.out));
  return launched(context, error, "reduce_rows_total_kernel");
}

}   // namespace transweld
