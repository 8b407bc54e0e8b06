// matmul: c = cap(act(a·bᵀ + bias)) (COLUMNS), act(a·b + bias) (ACROSS) or act(aᵀ·b + bias) (ROWS), + c where it accumulates.
//   a float, b float or i8 with scales, c [M, N] f32
//   bytes 4·(M·K·N/Side + N·K·M/Side + M·N) through the second cache, flops 2·M·N·K in f32, up to six times that in bf16
// On tensor cores at f32 accuracy: operands are split into bf16 parts (device/split.h) on their way to shared memory, and a
// step of 16 k is the chain of their products, smallest first. A tensor core does not round to nearest, so a chain begins at
// 0 and its sum is added to the running one by an ordinary addition: what it cuts off is that of a sum of 16 products. ROUNDED and
// integers are one part.
//
//   matmul_tile.h   tiles of c, 128 × 128 or 64 × 64
//   matmul_few.h    up to 16 rows: b streams through once
//   depth           cut into chunks of 1024 k, whose sums are added in order: side by side in blocks of their own where tiles are few
// Rows that parts cannot carry are found while they are read, and their outputs are made again by canonical dots. An output
// is a function of its row of a and its row of b: neither the tile size nor the shape of the batch is seen in its bits.
#include "device/scratch.h"
#include "matmul_few.h"
#include "matmul_tile.h"
#include "ops.h"

namespace transweld {
namespace {

constexpr uint64_t kMostBeside = 65535;              // of gridDim.y

unsigned beside_of(const Product& p) { return static_cast<unsigned>(p.chunks < kMostBeside ? p.chunks : kMostBeside); }

tw_status add_chunks(tw_context* context, const Product& p) {
  const cudaError_t error = launch(matmul_chunks_kernel, grid_of(p.rows * p.columns, 256), 256, 0, stream(context), p);
  return launched(context, error, "matmul_chunks_kernel");
}

template <int A, int B, int Side> tw_status run(tw_context* context, const Product& p) {
  using L = Layout<A, B, Side>;
  const unsigned tiles = grid_of(blocks_of(p.rows, Side) * blocks_of(p.columns, Side));
  const unsigned beside = p.apart ? beside_of(p) : 1;
  const cudaError_t error = launch(matmul_split_kernel<A, B, Side>, dim3(tiles, beside), L::kThreads, L::kShared, stream(context), p);
  if (error != cudaSuccess || !p.apart) return launched(context, error, "matmul_split_kernel");
  return add_chunks(context, p);
}

template <int Side> tw_status run(tw_context* context, const Product& p) {
  const bool one_a = is_one_part(p.a), one_b = is_one_part(p.b);
  if (one_a) return one_b ? run<1, 1, Side>(context, p) : run<1, 3, Side>(context, p);
  return one_b ? run<3, 1, Side>(context, p) : run<3, 3, Side>(context, p);
}

tw_status run_many(tw_context* context, Product& p) {
  const uint64_t M = p.rows, N = p.columns, full = chip(context).processors;
  const bool large = blocks_of(M, 128) * blocks_of(N, 128) * p.chunks >= full;   // large tiles where they still fill the device
  const uint64_t side = large ? 128 : 64, tiles = blocks_of(M, side) * blocks_of(N, side), bytes = M * N * sizeof(float);
  const bool beside = p.chunks > 1 && tiles < 2 * full && p.chunks * bytes <= tile::matmul::kMostApart;
  const bool aside = !beside && p.chunks > 1 && p.accumulate;
  if (beside || aside) {
    const uint64_t wanted = beside ? p.chunks * bytes : bytes;
    float* room = static_cast<float*>(scratch(context, wanted));
    if (!room) return out_of_scratch(context, wanted);
    (beside ? p.apart : p.waiting) = room;
    if (aside) p.waiting_stride = N;
  }
  return large ? run<128>(context, p) : run<64>(context, p);
}

template <int A, class T, int J> tw_status stream_rows(tw_context* context, const Few& f) {
  const Product& p = f.product;
  const cudaError_t split = launch(matmul_parts_kernel<A>, dim3(grid_of(p.chunks), J), 128, 0, stream(context), f);
  if (split != cudaSuccess) return launched(context, split, "matmul_parts_kernel");
  const unsigned blocks = grid_of(p.columns, kFewWarps * kWarpColumns);
  const cudaError_t error = launch(matmul_few_kernel<A, T, J>, dim3(blocks, beside_of(p)), kFewWarps * 32, kFewWarps * kFewStages * kStageBytes,
                                   stream(context), f);
  if (error != cudaSuccess || !p.apart) return launched(context, error, "matmul_few_kernel");
  return add_chunks(context, p);
}

template <class T> tw_status stream_rows(tw_context* context, const Few& f) {
  if (is_one_part(f.product.a)) return f.product.rows > 8 ? stream_rows<1, T, 2>(context, f) : stream_rows<1, T, 1>(context, f);
  return f.product.rows > 8 ? stream_rows<3, T, 2>(context, f) : stream_rows<3, T, 1>(context, f);
}

tw_status run_few(tw_context* context, const Product& p) {
  const uint64_t steps = blocks_of(p.depth, kStep), groups = p.rows > 8 ? 2 : 1, parts = is_one_part(p.a) ? 1 : 3;
  const auto divide = [&](Divider d, Few& f) {
    f.parts = d.take<uint2>(steps * groups * parts * 32);
    f.most = d.take<unsigned>(p.chunks * kMostFew);
    f.product.apart = p.chunks > 1 ? d.take<float>(p.chunks * p.rows * p.columns) : nullptr;
    return d.used;
  };
  Few f{p, nullptr, nullptr};
  const uint64_t wanted = divide(Divider{}, f);
  void* room = scratch(context, wanted);
  if (!room) return out_of_scratch(context, wanted);
  divide(Divider{room}, f);
  switch (p.b.dtype) {
    case TW_BF16: return stream_rows<bf16>(context, f);
    case TW_F16: return stream_rows<f16>(context, f);
    case TW_I8: return stream_rows<int8_t>(context, f);
    default: return stream_rows<float>(context, f);
  }
}

// Whether rows of b can be read 16 bytes at a time; what lies beyond their last column is not used.
bool is_aligned(const tw_view& b) {
  const uint64_t size = tw_dtype_bytes(b.dtype);
  return reinterpret_cast<uintptr_t>(b.data) % 16 == 0 && (b.rows <= 1 || b.stride * size % 16 == 0);
}

}   // namespace

tw_status matmul(tw_context* context, const tw_matmul_args& a) {
  Check check{context};
  check.that(a.contract <= TW_ACROSS, "0 (columns), 1 (rows) or 2 (across)", "contract", a.contract)
      .that(a.activation <= TW_QUICK_GELU, "0 to 5", "activation", a.activation)
      .that(a.arithmetic <= TW_ROUNDED, "0 (exact) or 1 (rounded)", "arithmetic", a.arithmetic)
      .that(a.arithmetic == TW_EXACT || a.contract == TW_COLUMNS, "0 (columns)", "contract of a rounded product", a.contract)
      .that(!(a.cap < 0), "a number of at least 0", "cap", 0);
  const bool columns = a.contract == TW_COLUMNS, rows = a.contract == TW_ROWS, whole = !rows && a.b.dtype == TW_I8;
  const uint64_t M = rows ? a.a.columns : a.a.rows, N = columns ? a.b.rows : a.b.columns, depth = rows ? a.a.rows : a.a.columns;
  const uint32_t b_dtype = a.arithmetic == TW_ROUNDED ? uint32_t{TW_BF16} : whole ? uint32_t{TW_I8} : kFloat;
  check.view("a", a.a, {kFloat, kAny, kAny})
      .view("b", a.b, {b_dtype, columns ? N : depth, columns ? depth : N})
      .optional("bias", a.bias, {TW_F32, 1, N})
      .view("c", a.c, {TW_F32, M, N});
  if (whole) check.view("b_scales", a.b_scales, {TW_F32, 1, a.b.rows});
  if (check.status || !M || !N) return check.status;
  Product p{operand_of(a.a, !rows), operand_of(a.b, columns), M, N, depth, depth ? blocks_of(depth, kChunk) : 1, nullptr, f32(a.c),
            whole && columns ? f32(a.b_scales) : nullptr, f32(a.bias), f32(a.c), a.c.stride, a.c.stride, a.activation, a.accumulate, a.cap};
  p.a.rounded = a.arithmetic == TW_ROUNDED && a.a.dtype != TW_BF16;
  if (whole && !columns) p.b.scales = f32(a.b_scales);
  if (columns && M <= kMostFew && is_aligned(a.b)) return run_few(context, p);
  return run_many(context, p);
}

}   // namespace transweld
