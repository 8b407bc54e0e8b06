// Reconstruction loss and its gradient: e = y_hat − y, S = Σ e², V = Σ (y − ȳ)², loss = weight·S/V or weight·S/N, and dy.
// Sums over a batch are in double, in the CPU's order: tiles of 256 rows × 256 columns, in a tile column by column, tiles in
// order. Squares of f32 are exact in double, and a variance about the mean keeps its digits.
//
//   y, y_hat [N, O] ─► means: sums of y over chunks of rows    [N/256, O], added up to means
//                   ─► tiles: Σ e² and Σ (y − ȳ)² of each      [tiles] × 2
//                   ─► loss:  totals in order, stats, ok, and the factor of dy
//                   ─► dy
//   bytes: 4·N·O for the means, 8·N·O for the tiles, 12·N·O for dy: 24·N·O, and what fits the second-level cache (N·O up to
//          4 million on 50 MB) is read from memory once. Flops: 6·N·O in double, which only a consumer card feels.
//
// A chain of 256 rows cannot be split, so a thread keeps 16 rows of both matrices under way: 32 KB a block.
#include "ops.h"
#include "tile.h"
#include "device/rowsum.h"
#include "device/rows.h"
#include "device/scratch.h"

namespace transweld {
namespace {

using namespace tile::recon_loss;
static_assert(kTile == kChunk && kStrip <= kTile);

struct Both { float y, y_hat; };
struct Totals { double error, spread; };   // of a tile

struct Loss {
  const float *y, *y_hat;
  uint64_t y_stride, y_hat_stride, rows, columns;
  const float* variance;   // null: it is measured here
  double* sums;            // [N/256][O], then the means in its first row
  Totals* totals;          // [N/256][O/256]
  float* factor;           // of dy
  uint32_t kind;
  float weight;

  __device__ uint64_t across() const { return blocks_of(columns, kTile); }
};

__global__ void __launch_bounds__(kStrip) recon_loss_means_kernel(const __grid_constant__ Loss a) {
  const uint64_t strips = blocks_of(a.columns, kStrip), items = strips * chunks_of(a.rows);
  for (uint64_t item = blockIdx.x; item < items; item += gridDim.x) {
    const uint64_t chunk = item / strips, c = item % strips * kStrip + threadIdx.x;
    if (c >= a.columns) continue;
    const float* y = a.y + chunk * kTile * a.y_stride + c;
    double sum = 0;
    in_order<2 * kAhead>(chunk_size(chunk, a.rows), [&](unsigned r) { return y[r * a.y_stride]; },
                         [&](float value, unsigned) { sum += value; });
    a.sums[chunk * a.columns + c] = sum;
  }
}

// The first row of sums becomes the means: once, as every tile of a column would add up the same N/256 numbers.
__global__ void __launch_bounds__(kStrip) recon_loss_mean_kernel(const __grid_constant__ Loss a) {
  for (uint64_t c = uint64_t{blockIdx.x} * kStrip + threadIdx.x; c < a.columns; c += uint64_t{gridDim.x} * kStrip) {
    double sum = 0;
    in_order<kAhead>(static_cast<unsigned>(chunks_of(a.rows)), [&](unsigned i) { return a.sums[i * a.columns + c]; },
                     [&](double x, unsigned) { sum += x; });
    a.sums[c] = sum / static_cast<double>(a.rows);
  }
}

__global__ void __launch_bounds__(kTile) recon_loss_tiles_kernel(const __grid_constant__ Loss a) {
  SHARED(Totals, columns, [kTile]);
  const uint64_t items = a.across() * chunks_of(a.rows);
  for (uint64_t item = blockIdx.x; item < items; item += gridDim.x) {
    const uint64_t chunk = item / a.across(), first = item % a.across() * kTile, c = first + threadIdx.x;
    Totals own = {0, 0};
    if (c < a.columns) {
      const double mean = a.variance ? 0 : a.sums[c];
      const float *y = a.y + chunk * kTile * a.y_stride + c, *y_hat = a.y_hat + chunk * kTile * a.y_hat_stride + c;
      in_order<kAhead>(chunk_size(chunk, a.rows), [&](unsigned r) { return Both{y[r * a.y_stride], y_hat[r * a.y_hat_stride]}; },
        [&](const Both& x, unsigned) {
          const double e = x.y_hat - x.y;   // rounded to f32 first, as dy is
          own.error += e * e;
          if (a.variance) return;
          const double d = x.y - mean;
          own.spread += d * d;
        });
    }
    columns[threadIdx.x] = own;
    __syncthreads();
    // Two warps, so that the two chains of additions run side by side.
    const unsigned count = static_cast<unsigned>(a.columns - first < kTile ? a.columns - first : kTile);
    if (threadIdx.x == 0) {
      double sum = 0;
      in_order<kAhead>(count, [&](unsigned i) { return columns[i].error; }, [&](double x, unsigned) { sum += x; });
      a.totals[item].error = sum;
    }
    if (threadIdx.x == 32) {
      double sum = 0;
      if (!a.variance) in_order<kAhead>(count, [&](unsigned i) { return columns[i].spread; }, [&](double x, unsigned) { sum += x; });
      a.totals[item].spread = sum;
    }
    __syncthreads();   // the columns have been read
  }
}

// One block of two warps: a chain each.
__global__ void __launch_bounds__(64) recon_loss_total_kernel(const __grid_constant__ Loss a, float* stats, uint32_t* ok) {
  SHARED(double, sums, [2]);
  const unsigned tiles = static_cast<unsigned>(a.across() * chunks_of(a.rows));
  if (lane_of() == 0) {
    double sum = 0;
    const bool errors = warp_of() == 0;
    in_order<kAhead>(tiles, [&](unsigned i) { return errors ? a.totals[i].error : a.totals[i].spread; },
                     [&](double x, unsigned) { sum += x; });
    sums[warp_of()] = sum;
  }
  __syncthreads();
  if (threadIdx.x) return;
  const double s = sums[0];
  const float v = a.variance ? a.variance[2] : static_cast<float>(sums[1]);
  const double divisor = a.kind == TW_LOSS_FVU ? static_cast<double>(v) : static_cast<double>(a.rows);
  const float loss = static_cast<float>(a.weight * s / divisor);
  const float list[8] = {loss, static_cast<float>(s), v, static_cast<float>(a.rows)};
  for (int i = 0; i < 8; i++) stats[i] = list[i];
  if (ok && !(fabsf(loss) < float_of(0x7f800000u))) *ok = 0;
  *a.factor = static_cast<float>(2 * static_cast<double>(a.weight) / divisor);
}

struct Rows { const float *y, *y_hat; float* dy; };
template <int W> struct Pair { Vec<float, W> y, y_hat; };

template <int W> __global__ void __launch_bounds__(Walk::kThreads)
recon_loss_gradient_kernel(Walk walk, const float* factor, tw_view y, tw_view y_hat, tw_view dy) {
  const float scale = *factor;
  const auto row_of = [](const tw_view& v, uint64_t r) { return static_cast<float*>(v.data) + r * v.stride; };
  walk.each<tile::rows::kAhead>([&](uint64_t r) { return Rows{row_of(y, r), row_of(y_hat, r), row_of(dy, r)}; },
    [](const Rows& at, uint64_t step) { return Pair<W>{load_vec<W>(at.y + step * W), load_vec<W>(at.y_hat + step * W)}; },
    [&](const Rows& at, uint64_t step, const Pair<W>& x) {
      Vec<float, W> g;
#pragma unroll
      for (int i = 0; i < W; i++) g.at[i] = scale * (x.y_hat.at[i] - x.y.at[i]);
      store_vec(at.dy + step * W, g);
    });
}

}   // namespace

tw_status recon_loss(tw_context* context, const tw_recon_loss_args& a) {
  const uint64_t rows = a.y.rows, columns = a.y.columns;
  const Wanted same = {TW_F32, rows, columns};
  Check check{context};
  check.that(a.loss == TW_LOSS_FVU || a.loss == TW_LOSS_SUM_MSE, "FVU (0) or sum of squares (1)", "loss", a.loss);
  check.view("y", a.y, same).view("y_hat", a.y_hat, same).optional("dy", a.dy, same);
  check.view("stats", a.stats, {TW_F32, 1, 8}).optional("variance_of", a.variance_of, {TW_F32, 1, 8}).optional("ok", a.ok, {TW_U32, 1, 1});
  const uint64_t chunks = chunks_of(rows), tiles = chunks * blocks_of(columns, kTile);
  check.that(tiles <= UINT32_MAX, "at most 2^32 - 1 tiles of 256 x 256", "y", rows);
  if (check.status) return check.status;

  Loss loss{f32(a.y), f32(a.y_hat), a.y.stride, a.y_hat.stride, rows, columns, f32(a.variance_of), nullptr, nullptr, nullptr, a.loss,
            a.weight};
  const auto divide = [&](Divider& d) {
    loss.sums = d.take<double>(loss.variance ? 0 : chunks * columns);
    loss.totals = d.take<Totals>(tiles);
    loss.factor = d.take<float>(1);
  };
  Divider counting;
  divide(counting);
  void* block = scratch(context, counting.used);
  if (!block) return out_of_scratch(context, counting.used);
  Divider divider(block);
  divide(divider);

  cudaError_t error = cudaSuccess;
  if (tiles && !loss.variance) {
    error = launch(recon_loss_means_kernel, grid_of(chunks * blocks_of(columns, kStrip)), kStrip, 0, stream(context), loss);
    if (error == cudaSuccess) error = launch(recon_loss_mean_kernel, grid_of(columns, kStrip), kStrip, 0, stream(context), loss);
  }
  if (tiles && error == cudaSuccess) error = launch(recon_loss_tiles_kernel, grid_of(tiles), kTile, 0, stream(context), loss);
  if (error == cudaSuccess) error = launch(recon_loss_total_kernel, 1, 64, 0, stream(context), loss, f32(a.stats), u32(a.ok));
  if (error != cudaSuccess || !has(a.dy) || !tiles) return launched(context, error, "the sums of recon_loss");
  tw_view y = a.y, y_hat = a.y_hat, dy = a.dy;
  flatten(y, y_hat, dy);
  return with_width(vector_width(y, y_hat, dy), [&](auto width) {
    constexpr int W = decltype(width)::value;
    const Walk walk = walk_of<tile::rows::kAhead>(y.rows, y.columns / W);
    const cudaError_t enqueued = launch(recon_loss_gradient_kernel<W>, walk.blocks(), Walk::kThreads, 0, stream(context), walk,
                                        loss.factor, y, y_hat, dy);
    return launched(context, enqueued, "recon_loss_gradient_kernel");
  });
}

}   // namespace transweld
