// matmul: c = act(a·bᵀ + bias) (COLUMNS) or act(aᵀ·b + bias) (ROWS), + c where it accumulates; a, b float, c [M, N] f32.
//   bytes 4·(M·K·N/Side + N·K·M/Side + M·N) through the second cache, flops 2·M·N·K in f32, up to six times that in bf16
// On tensor cores at f32 accuracy: operands are split into bf16 parts (device/split.h) on their way to shared memory, and a
// step of 16 k is the chain of their products, smallest first. A tensor core does not round to nearest, so a chain begins at
// 0 and its sum is added to the running one by an ordinary addition: what it cuts off is that of a sum of 16 products.
//
//   block  Side × Side of c, Side / 16 warps, each Side/2 × 32; the next step's elements are read while this one multiplies
//   shared [2 steps][part][Side rows][16 k] bf16 for a and for b: a row is 32 bytes, its halves exchanged in every other four
//          rows, so that the eight rows of a fragment lie on different banks
//   depth  cut into chunks of 1024 k, whose sums are added in order: side by side in blocks of their own where tiles are few
// Rows that parts cannot carry are found while they are read, and their outputs are made again by canonical dots. An output
// is a function of its row of a and its row of b: neither the tile size nor the shape of the batch is seen in its bits.
#include "device/maths.h"
#include "device/mma.h"
#include "device/reduce.h"
#include "device/split.h"
#include "ops.h"
#include "tile.h"

namespace transweld {
namespace {

using tile::matmul::kBand;
using tile::matmul::kChunk;
constexpr unsigned kStep = 16, kWarpColumns = 32;   // k of one product of the tensor core; columns of a warp
constexpr unsigned kRowBytes = kStep * 2;           // of one part in shared memory
constexpr unsigned kPitch = kWarpColumns + 8;       // floats of a staged row: lanes that hold four rows write to different banks
constexpr uint64_t kMostBeside = 65535;              // of gridDim.y

struct Product {
  Operand a, b;
  uint64_t rows, columns, depth, chunks;
  float* apart;                                     // [chunks, M, N] sums of chunks, or null: one block goes through all of them
  float* waiting;                                   // then the sum so far: c itself, or scratch where c is still needed
  const float* bias;                                // or null
  float* c;
  uint64_t waiting_stride, stride;
  uint32_t activation, accumulate;
};

template <int A, int B, int Side> struct Layout {
  static constexpr unsigned kThreads = 2 * Side, kWarps = kThreads / 32, kWarpRows = Side / 2;
  static constexpr unsigned kTilesDown = kWarpRows / 16, kTilesAcross = kWarpColumns / 8;
  static constexpr unsigned kPart = Side * kRowBytes, kStepBytes = (A + B) * kPart;
  static constexpr unsigned kStaged = kWarps * 16 * kPitch * sizeof(float);           // sums on their way out, over the steps
  static constexpr unsigned kRoom = 2 * kStepBytes > kStaged ? 2 * kStepBytes : kStaged;
  static constexpr unsigned kShared = kRoom + 4 * Side * sizeof(unsigned);            // and the largest magnitudes
};

// Byte offset of a half (8 k) of a row within a part.
__device__ unsigned offset(unsigned row, unsigned half) { return row * kRowBytes + (half ^ (row >> 2 & 1)) * 16; }

// This thread's place among the eights of a step: neighbouring threads read neighbouring memory.
template <int Side> __device__ void place(const Operand& o, unsigned& row, unsigned& half) {
  row = o.step == 1 ? threadIdx.x / 2 : threadIdx.x % Side;
  half = o.step == 1 ? threadIdx.x % 2 : threadIdx.x / Side;
}

template <int Parts> __device__ void store_parts(Share<Parts>& share, unsigned char* parts, unsigned part_bytes, unsigned to) {
#pragma unroll
  for (int i = 0; i < Parts; i++) *reinterpret_cast<uint4*>(parts + i * part_bytes + to) = share.take(i == 2);
}

// sum += one step's products of the warp's rows of a (from row_a) with its rows of b (from row_b).
template <int A, int B, int Side>
__device__ void multiply(const unsigned char* parts, unsigned row_a, unsigned row_b, float (&sum)[Side / 32][4][4]) {
  using L = Layout<A, B, Side>;
  const unsigned lane = lane_of();
  const unsigned char *parts_a = parts, *parts_b = parts + A * L::kPart;
  unsigned b[B][L::kTilesAcross][2];
#pragma unroll
  for (int j = 0; j < B; j++) {
#pragma unroll
    for (unsigned n = 0; n < L::kTilesAcross; n += 2) {   // matrices: columns n (k 0-7, 8-15), columns n + 1 (the same)
      unsigned r[4];
      load_fragments(r, parts_b + j * L::kPart + offset(row_b + 8 * n + lane / 16 * 8 + lane % 8, lane / 8 % 2));
      b[j][n][0] = r[0]; b[j][n][1] = r[1]; b[j][n + 1][0] = r[2]; b[j][n + 1][1] = r[3];
    }
  }
#pragma unroll
  for (unsigned m = 0; m < L::kTilesDown; m++) {
    unsigned a[A][4];
#pragma unroll
    for (int i = 0; i < A; i++) load_fragments(a[i], parts_a + i * L::kPart + offset(row_a + 16 * m + lane % 16, lane / 16));
    float chain[L::kTilesAcross][4] = {};
#pragma unroll
    for (int level = 2; level >= 0; level--) {            // of smallness: i + j, counted from 0
#pragma unroll
      for (int i = 0; i < A; i++) {
        const int j = level - i;
        if (j < 0 || j >= B) continue;
#pragma unroll
        for (unsigned n = 0; n < L::kTilesAcross; n++) mma_bf16(chain[n], a[i], b[j][n]);
      }
    }
#pragma unroll
    for (unsigned n = 0; n < L::kTilesAcross; n++) {
#pragma unroll
      for (int r = 0; r < 4; r++) sum[m][n][r] = sum[m][n][r] + chain[n][r];
    }
  }
}

// The sums of a tile over k = begin ... end − 1; most[operand][half][row] becomes the largest magnitudes of what was read.
template <int A, int B, int Side>
__device__ void accumulate(const Product& p, uint64_t m, uint64_t n, uint64_t begin, uint64_t end, unsigned char* memory, unsigned* most,
                           float (&sum)[Side / 32][4][4]) {
  using L = Layout<A, B, Side>;
  unsigned row_a, half_a, row_b, half_b, most_a = 0, most_b = 0;
  place<Side>(p.a, row_a, half_a);
  place<Side>(p.b, row_b, half_b);
  Share<A> a;
  Share<B> b;
  const auto read = [&](uint64_t k) {
    a.read(p.a, m + row_a, k + 8 * half_a, end);
    b.read(p.b, n + row_b, k + 8 * half_b, end);
  };
  const auto store = [&](unsigned char* parts) {
    const unsigned now_a = a.most(), now_b = b.most();
    most_a = now_a > most_a ? now_a : most_a;
    most_b = now_b > most_b ? now_b : most_b;
    store_parts(a, parts, L::kPart, offset(row_a, half_a));
    store_parts(b, parts + A * L::kPart, L::kPart, offset(row_b, half_b));
  };
  const unsigned steps = static_cast<unsigned>(blocks_of(end - begin, kStep));
  const unsigned warp_a = warp_of() % 2 * L::kWarpRows, warp_b = warp_of() / 2 * kWarpColumns;
  if (steps) {
    read(begin);
    store(memory);
  }
  __syncthreads();
#pragma unroll 1
  for (unsigned s = 0; s < steps; s++) {
    const bool more = s + 1 < steps;
    if (more) read(begin + uint64_t{s + 1} * kStep);
    multiply<A, B, Side>(memory + s % 2 * L::kStepBytes, warp_a, warp_b, sum);
    if (more) store(memory + (s + 1) % 2 * L::kStepBytes);
    __syncthreads();   // the next step is written, and what it will be overwritten by has been used
  }
  most[half_a * Side + row_a] = most_a;
  most[(2 + half_b) * Side + row_b] = most_b;
  __syncthreads();
}

// dot of op_table.h over k = begin ... end − 1, by a half-warp; both halves of a warp call it.
__device__ float dot_again(const Product& p, uint64_t m, uint64_t n, uint64_t begin, uint64_t end) {
  float partial = 0;
  for (uint64_t k = begin + half_lane(); k < end; k += kHalf) partial = fmaf(value_at(p.a, m, k), value_at(p.b, n, k), partial);
  return fold(partial);
}

__device__ float activated(const Product& p, uint64_t n, float sum) { return activate(p.activation, p.bias ? sum + p.bias[n] : sum); }

// Sixteen staged rows from m on go to column n: this lane's, in staged[row · kPitch].
__device__ void put_column(const Product& p, uint64_t chunk, uint64_t m, uint64_t n, float* staged) {
  if (n >= p.columns) return;
  const unsigned count = p.rows <= m ? 0 : p.rows - m < 16 ? static_cast<unsigned>(p.rows - m) : 16;
  const bool last = !p.apart && chunk + 1 == p.chunks;
  // old + new from `from`, all loads under way before the first is used
  const auto add = [&](const float* from, uint64_t stride, bool old_first) {
    float old[16];
#pragma unroll
    for (unsigned r = 0; r < 16; r++) old[r] = r < count ? from[r * stride] : 0;
#pragma unroll
    for (unsigned r = 0; r < 16; r++) staged[r * kPitch] = old_first ? old[r] + staged[r * kPitch] : staged[r * kPitch] + old[r];
  };
  if (!p.apart && chunk) add(p.waiting + m * p.waiting_stride + n, p.waiting_stride, true);
  if (last) {
#pragma unroll 1
    for (unsigned r = 0; r < count; r++) staged[r * kPitch] = activated(p, n, staged[r * kPitch]);
    if (p.accumulate) add(p.c + m * p.stride + n, p.stride, false);
  }
  float* to = p.apart ? p.apart + (chunk * p.rows + m) * p.columns + n
            : last    ? p.c + m * p.stride + n
                      : p.waiting + m * p.waiting_stride + n;
  const uint64_t stride = p.apart ? p.columns : last ? p.stride : p.waiting_stride;
#pragma unroll
  for (unsigned r = 0; r < 16; r++) {
    if (r < count) to[r * stride] = staged[r * kPitch];
  }
}

// Writes a tile's sums, sixteen rows a warp at a time through shared memory, so that a row of 32 columns is one store.
template <int A, int B, int Side>
__device__ void finish(const Product& p, uint64_t chunk, uint64_t m, uint64_t n, uint64_t begin, uint64_t end, unsigned char* memory,
                       const unsigned* most, const float (&sum)[Side / 32][4][4]) {
  using L = Layout<A, B, Side>;
  const unsigned lane = lane_of(), warp_a = warp_of() % 2 * L::kWarpRows, warp_b = warp_of() / 2 * kWarpColumns;
  float* staged = reinterpret_cast<float*>(memory) + warp_of() * 16 * kPitch;
  const auto carried = [&](unsigned operand, unsigned row) {
    const unsigned one = most[2 * operand * Side + row], other = most[(2 * operand + 1) * Side + row];
    return splits(one > other ? one : other);
  };
  bool all = true;                                        // of this block's rows are carried
  for (unsigned row = lane; row < Side; row += 32) all = all && carried(0, row) && carried(1, row);
  all = __all_sync(kAllLanes, all);
#pragma unroll 1
  for (unsigned i = 0; i < L::kTilesDown; i++) {
#pragma unroll
    for (unsigned own = 0; own < L::kTilesDown; own++) {  // registers have no index: the tile of sums is chosen
      if (own != i) continue;
#pragma unroll
      for (unsigned t = 0; t < L::kTilesAcross; t++) {
        float* at = staged + lane / 4 * kPitch + 8 * t + lane % 4 * 2;
        store_vec(at, Vec<float, 2>{sum[own][t][0], sum[own][t][1]});
        store_vec(at + 8 * kPitch, Vec<float, 2>{sum[own][t][2], sum[own][t][3]});
      }
    }
    __syncwarp();
    const unsigned top = warp_a + 16 * i;
    if (!all) {
#pragma unroll 1
      for (unsigned pair = 0; pair < 16 * kWarpColumns / 2; pair++) {
        const unsigned r = pair / (kWarpColumns / 2), c = pair % (kWarpColumns / 2) * 2 + lane / kHalf;
        const bool again = m + top + r < p.rows && n + warp_b + c < p.columns && !(carried(0, top + r) && carried(1, warp_b + c));
        if (!__any_sync(kAllLanes, again)) continue;
        const float value = dot_again(p, m + top + r, n + warp_b + c, begin, again ? end : begin);
        if (again && half_lane() == 0) staged[r * kPitch + c] = value;
      }
      __syncwarp();
    }
    put_column(p, chunk, m + top, n + warp_b + lane, staged + lane);
    __syncwarp();                                         // before the next sixteen rows are staged
  }
}

// Tiles in bands of kBand, down a band's columns: blocks that run together share their rows of a and of b in the second cache.
template <int A, int B, int Side> __global__ void __launch_bounds__(2 * Side, Side == 128 ? 1 : 3) matmul_split_kernel(const Product p) {
  using L = Layout<A, B, Side>;
  DYNAMIC_SHARED(unsigned char, memory);
  unsigned* most = reinterpret_cast<unsigned*>(memory + L::kRoom);
  const uint64_t down = blocks_of(p.rows, Side), across = blocks_of(p.columns, Side);
  for (uint64_t tile = blockIdx.x; tile < down * across; tile += gridDim.x) {
    const uint64_t band = tile / (kBand * across) * kBand, within = tile % (kBand * across);
    const uint64_t height = down - band < kBand ? down - band : kBand;
    const uint64_t m = (band + within % height) * Side, n = within / height * Side;
    for (uint64_t chunk = blockIdx.y; chunk < p.chunks; chunk += gridDim.y) {
      const uint64_t begin = chunk * kChunk, end = p.depth - begin < kChunk ? p.depth : begin + kChunk;
      float sum[Side / 32][4][4] = {};
      accumulate<A, B, Side>(p, m, n, begin, end, memory, most, sum);
      finish<A, B, Side>(p, chunk, m, n, begin, end, memory, most, sum);
      __syncthreads();                                    // before the next chunk's parts take the staged sums' place
    }
  }
}

// c from the sums of chunks, added in order.
__global__ void __launch_bounds__(256) matmul_chunks_kernel(const Product p) {
  const uint64_t count = p.rows * p.columns;
  for (uint64_t i = uint64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += uint64_t{gridDim.x} * blockDim.x) {
    float sum = p.apart[i];
#pragma unroll 4
    for (uint64_t chunk = 1; chunk < p.chunks; chunk++) sum = sum + p.apart[chunk * count + i];
    const uint64_t m = i / p.columns, n = i % p.columns;
    float* to = p.c + m * p.stride + n;
    sum = activated(p, n, sum);
    *to = p.accumulate ? sum + *to : sum;
  }
}

template <int A, int B, int Side> tw_status run(tw_context* context, const Product& p) {
  using L = Layout<A, B, Side>;
  const unsigned tiles = grid_of(blocks_of(p.rows, Side) * blocks_of(p.columns, Side));
  const unsigned beside = p.apart ? static_cast<unsigned>(p.chunks < kMostBeside ? p.chunks : kMostBeside) : 1;
  const cudaError_t error = launch(matmul_split_kernel<A, B, Side>, dim3(tiles, beside), L::kThreads, L::kShared, stream(context), p);
  if (error != cudaSuccess || !p.apart) return launched(context, error, "matmul_split_kernel");
  const cudaError_t added = launch(matmul_chunks_kernel, grid_of(p.rows * p.columns, 256), 256, 0, stream(context), p);
  return launched(context, added, "matmul_chunks_kernel");
}

template <int Side> tw_status run(tw_context* context, const Product& p) {
  const bool narrow_a = p.a.dtype == TW_BF16, narrow_b = p.b.dtype == TW_BF16;
  if (narrow_a) return narrow_b ? run<1, 1, Side>(context, p) : run<1, 3, Side>(context, p);
  return narrow_b ? run<3, 1, Side>(context, p) : run<3, 3, Side>(context, p);
}

}   // namespace

tw_status matmul(tw_context* context, const tw_matmul_args& a) {
  Check check{context};
  check.that(a.contract <= TW_ROWS, "0 (columns) or 1 (rows)", "contract", a.contract)
      .that(a.activation <= TW_GELU_ERF, "0 to 3", "activation", a.activation);
  const bool columns = a.contract == TW_COLUMNS;
  const uint64_t M = columns ? a.a.rows : a.a.columns, N = columns ? a.b.rows : a.b.columns, depth = columns ? a.a.columns : a.a.rows;
  check.view("a", a.a, {kFloat, kAny, kAny})
      .view("b", a.b, {kFloat, columns ? N : depth, columns ? depth : N})
      .optional("bias", a.bias, {TW_F32, 1, N})
      .view("c", a.c, {TW_F32, M, N});
  if (check.status || !M || !N) return check.status;
  const uint64_t chunks = depth ? blocks_of(depth, kChunk) : 1, full = chip(context).processors;
  const bool large = blocks_of(M, 128) * blocks_of(N, 128) * chunks >= full;   // large tiles where they still fill the device
  const uint64_t side = large ? 128 : 64, tiles = blocks_of(M, side) * blocks_of(N, side), bytes = M * N * sizeof(float);
  const bool beside = chunks > 1 && tiles < 2 * full && chunks * bytes <= tile::matmul::kMostApart;
  Product p{operand_of(a.a, columns), operand_of(a.b, columns), M, N, depth, chunks, nullptr, f32(a.c), f32(a.bias), f32(a.c),
            a.c.stride, a.c.stride, a.activation, a.accumulate};
  const bool aside = !beside && chunks > 1 && a.accumulate;
  if (beside || aside) {
    const uint64_t wanted = beside ? chunks * bytes : bytes;
    float* room = static_cast<float*>(scratch(context, wanted));
    if (!room) return out_of_scratch(context, wanted);
    (beside ? p.apart : p.waiting) = room;
    if (aside) p.waiting_stride = N;
  }
  return large ? run<128>(context, p) : run<64>(context, p);
}

}   // namespace transweld
