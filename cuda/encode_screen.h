// The screened product of sparse_encode: the candidates that a certificate cannot exclude, found in low precision on tensor cores
// (encode_products.h, encode_candidates.h), then evaluated by the canonical dot (encode_verify.h). What comes out has the bits of the
// plain product.
//
//   prepare ─► seeds ─► limit ─► candidates ─► merge ─► count, offsets, place, verify ─► prune ─► the same four once more
//              └ TOPK, lists shorter ┘                                                └ i8, a weight beyond the cache ┘
//
// A row without a certificate, or with more candidates than its list holds, is handed back: counts[r] = kLost. Which rows these
// are is a function of the call and the chip, never of the order of blocks: limits of a walk change between tiles only.
//
// Bytes a chunk of n rows: 12·n·splits·room of lists with room = F/(12·splits) + K + 192, 8·n·(F/12 + 4·K + 112) of what is
// merged from them, and n·D or 2·n·D of codes. n 4096, F 24576, D 768, K 32 on the 132 processors of an H100: 8 splits of 480
// entries, 189 MB, then 75 MB, and 3 (i8) or 6 MB.
#pragma once
#include "encode_verify.h"

namespace transweld {
namespace {

struct ScreenWork {
  ScreenTask task;
  VerifyTask verify;
  unsigned* offsets;      // [F]
  unsigned seed_tiles, seed_step;
};

// A twelfth of the features as candidates costs about what the plain product would.
inline uint64_t screen_room(const EncodeCall& call) {
  const uint64_t F = call.task.features, room = F / 12 + 4 * call.task.k + 112;
  return room < F ? room : F;
}
inline bool worth_screening(const EncodeCall& call) {
  return call.task.features && call.task.columns && 12 * call.task.k <= call.task.features;
}

// Not every 9.0 runs the code of sm_90a: a library built for others, or a driver told to compile its PTX, leaves the kernel empty.
inline bool has_warpgroups(tw_context* context) {
  return chip(context).major == 9 && chip(context).minor == 0 &&
         most_threads(encode_candidates_wgmma_kernel<TW_SCREEN_INT8>) >= kHopperThreads;
}

// Splits of the features for which the blocks end soonest, in waves of what the chip runs at a time: a block costs its tiles and
// about one more.
inline void plan_splits(const EncodeCall& call, uint64_t rows, ScreenTask& task) {
  const Chip& chip_here = chip(call.context);
  const uint64_t fit = (chip_here.shared_bytes + 1024) / (sizeof(MmaShared) + 1024);   // 1 KB a block is the system's
  const uint64_t sharing = call.warpgroups || fit < 1 ? 1 : fit < tile::screen::kSharing ? fit : tile::screen::kSharing;
  const uint64_t slots = chip_here.processors * sharing, bands = blocks_of(rows, call.warpgroups ? kScreenBand : kGroupRows);
  const uint64_t tiles = blocks_of(task.features, kShadowRows), most = blocks_of(tiles, tile::screen::kLeastShare);
  uint64_t share = tiles, least = UINT64_MAX;
  for (uint64_t splits = 1; splits <= most; splits++) {
    const uint64_t each = blocks_of(tiles, splits), cost = blocks_of(bands * splits, slots) * (each + 1);
    if (cost >= least) continue;
    least = cost;
    share = each;
  }
  task.tiles = static_cast<unsigned>(tiles);
  task.step = 1;
  task.share = static_cast<unsigned>(share);
  task.splits = static_cast<unsigned>(blocks_of(tiles, share));
  // K stay whatever is pruned, a tile is appended at a time, and half a tile spares settling at every one.
  const uint64_t range = uint64_t{task.share} * kShadowRows, room = range / 12 + task.k + 192;
  task.room = static_cast<unsigned>(room < range ? room : range);
}

inline void screen_scratch(Divider& d, const EncodeCall& call, uint64_t rows, ScreenWork& work) {
  const EncodeTask& all = call.task;
  ScreenTask& task = work.task;
  task = {};
  task.x = {nullptr, call.args.screen, padded(rows, kScreenBand), all.columns};
  task.w = {static_cast<unsigned char*>(call.args.shadow.data), call.args.screen, all.features, all.columns};
  task.features = all.features;
  task.k = all.k;
  task.positive = all.positive;
  plan_splits(call, rows, task);
  uint64_t seeded = task.tiles / tile::screen::kSeedShare, hands = blocks_of(tile::screen::kSeedHands * task.k, kShadowRows);
  seeded = seeded > hands ? seeded : hands;
  if (seeded > task.tiles) seeded = task.tiles;
  work.seed_tiles = task.positive || task.room >= task.share * kShadowRows ? 0 : static_cast<unsigned>(seeded);
  work.seed_step = work.seed_tiles ? task.tiles / work.seed_tiles : 1;

  task.x.data = d.take<unsigned char>(task.x.code_bytes());
  task.certificates = d.take<Certificate>(task.x.rows);
  task.high = d.take<float>(task.w.padded_rows());
  task.low = d.take<float>(task.w.padded_rows());
  task.counts = d.take<unsigned>(rows * task.splits);
  // One after the other: lower ends of the seeds, lists of candidates, pairs.
  const uint64_t room = screen_room(call), lists = rows * task.splits * task.room * sizeof(Candidate);
  const uint64_t seeds = rows * work.seed_tiles * kShadowRows * sizeof(float), pairs = rows * room * sizeof(uint2);
  const uint64_t most = lists > seeds ? lists : seeds;
  unsigned char* const shared = d.take<unsigned char>(most > pairs ? most : pairs);
  task.lists = reinterpret_cast<Candidate*>(shared);
  task.seeds = reinterpret_cast<float*>(shared);

  VerifyTask& verify = work.verify;
  verify = {};
  verify.fronts = d.take<unsigned>(rows);
  verify.places = d.take<unsigned>(all.features);
  work.offsets = d.take<unsigned>(all.features);
  verify.total = d.take<unsigned long long>(1);
  verify.pairs = reinterpret_cast<uint2*>(shared);
  verify.features = all.features;
  const bool cached = all.features * all.columns * sizeof(float) <= tile::screen::kOneGo;
  verify.two_goes = call.args.screen == TW_SCREEN_INT8 && !all.positive && !cached;
}

// Codes and certificates of the rows, a half-warp each, and both ends of every bias.
__global__ void __launch_bounds__(kRowThreads) encode_prepare_kernel(EncodeTask all, ScreenTask task, uint64_t from, float strength) {
  const uint64_t threads = uint64_t{gridDim.x} * kRowThreads;
  for (uint64_t r = (blockIdx.x * uint64_t{kRowThreads} + threadIdx.x) / kHalf; r / 2 * 2 < task.x.rows; r += threads / kHalf) {
    const bool real = r < task.rows;
    const RowBounds bounds = half_codes(task.x, r, real ? all.x + (from + r) * all.x_stride : nullptr);
    if (half_lane()) continue;
    const float limit = !real ? kInfinite : task.positive ? 0 : -kInfinite;
    task.certificates[r] = certify(task.x.screen, bounds, all.columns, strength, limit);
  }
  for (uint64_t f = blockIdx.x * uint64_t{kRowThreads} + threadIdx.x; f < task.w.padded_rows(); f += threads) {
    const Ends ends = bias_ends(f < all.features && all.bias ? all.bias[f] : 0.0f, strength);
    task.high[f] = ends.high;
    task.low[f] = ends.low;
  }
}

// The first L of every row: the K-th largest lower end of its seeds.
__global__ void __launch_bounds__(kRowThreads) encode_limit_kernel(ScreenTask task) {
  SHARED(SelectWork, works, [kRowWarps]);
  const unsigned count = task.tiles * kShadowRows;
  for (uint64_t r = blockIdx.x * uint64_t{kRowWarps} + warp_of(); r < task.rows; r += uint64_t{gridDim.x} * kRowWarps) {
    const float* const seeds = task.seeds + r * count;
    const auto key = [&](unsigned i) { return lower_key(seeds[i]); };
    const float limit = limit_of(kth_largest(WarpTeam{}, key, count, static_cast<unsigned>(task.k), works[warp_of()]));
    if (lane_of() == 0 && task.certificates[r].limit < limit) task.certificates[r].limit = limit;
  }
}

// A kernel of kRowThreads a block.
template <class... P, class... A> tw_status enqueue(const EncodeCall& call, const char* name, void (*kernel)(P...), uint64_t blocks, A... args) {
  const unsigned grid = static_cast<unsigned>(blocks);
  return launched(call.context, launch(kernel, grid, kRowThreads, 0, stream(call.context), args...), name);
}

inline tw_status launch_products(const EncodeCall& call, const ScreenTask& task) {
  const bool i8 = call.args.screen == TW_SCREEN_INT8;
  tw_context* context = call.context;
  if (call.warpgroups) {
    const unsigned grid = static_cast<unsigned>(blocks_of(task.rows, kScreenBand)) * task.splits;
    const auto kernel = i8 ? encode_candidates_wgmma_kernel<TW_SCREEN_INT8> : encode_candidates_wgmma_kernel<TW_SCREEN_BF16>;
    const cudaError_t error = launch(kernel, grid, kHopperThreads, sizeof(HopperShared), stream(context), task);
    return launched(context, error, "encode_candidates_wgmma_kernel");
  }
  const unsigned grid = static_cast<unsigned>(blocks_of(task.rows, kGroupRows)) * task.splits;
  const auto kernel = i8 ? encode_candidates_mma_kernel<TW_SCREEN_INT8> : encode_candidates_mma_kernel<TW_SCREEN_BF16>;
  return launched(context, launch(kernel, grid, kMmaThreads, sizeof(MmaShared), stream(context), task), "encode_candidates_mma_kernel");
}

// Evaluates the entries of one go.
inline tw_status launch_verify(const EncodeCall& call, const ScreenWork& work, VerifyTask verify, uint64_t from) {
  tw_context* context = call.context;
  const unsigned rows = grid_of(verify.rows, kRowWarps), offsets = grid_of(verify.features, tile::screen::kOffsets);
  const cudaError_t cleared = cudaMemsetAsync(verify.places, 0, verify.features * sizeof(unsigned), stream(context));
  tw_status status = launched(context, cleared, "the clearing of counts");
  if (!status) status = enqueue(call, "encode_pairs_kernel", encode_pairs_kernel<false>, rows, verify);
  if (!status) {
    const cudaError_t error = launch(encode_offsets_kernel, offsets, kOffsetThreads, 0, stream(context), verify, work.offsets, call.task.counts + 1);
    status = launched(context, error, "encode_offsets_kernel");
  }
  verify.places = work.offsets;
  if (!status) status = enqueue(call, "encode_pairs_kernel", encode_pairs_kernel<true>, rows, verify);
  if (status) return status;
  return with_width(vector_width(call.args.x, call.args.weight), [&](auto width) {
    const uint64_t pairs = verify.rows * verify.lists.room, wanted = blocks_of(pairs, kRowWarps * 2 * width.value);
    const uint64_t full = uint64_t{chip(context).processors} * (2048 / kRowThreads);
    return enqueue(call, "encode_verify_kernel", encode_verify_kernel<width.value>, wanted < full ? wanted : full, call.task, verify, from);
  });
}

// Rows from ... from + rows − 1 to `out`, counts[1] with them.
inline tw_status screen_chunk(const EncodeCall& call, const ScreenWork& work, uint64_t from, uint64_t rows, const RowLists& out) {
  ScreenTask task = work.task;
  task.rows = rows;
  task.x.rows = padded(rows, kScreenBand);
  VerifyTask verify = work.verify;
  verify.lists = out;
  verify.rows = rows;
  const unsigned grid = grid_of(rows, kRowWarps), halves = grid_of(task.x.rows, kRowThreads / kHalf);
  const float strength = call.args.certificate_scale;
  tw_status status = enqueue(call, "encode_prepare_kernel", encode_prepare_kernel, halves, call.task, task, from, strength);
  if (!status && work.seed_tiles) {
    ScreenTask seed = task;
    seed.tiles = work.seed_tiles;
    seed.step = work.seed_step;
    seed.share = static_cast<unsigned>(blocks_of(seed.tiles, seed.splits));
    seed.splits = static_cast<unsigned>(blocks_of(seed.tiles, seed.share));
    status = launch_products(call, seed);
    if (!status) status = enqueue(call, "encode_limit_kernel", encode_limit_kernel, grid, seed);
  }
  task.seeds = nullptr;
  if (!status) status = launch_products(call, task);
  if (!status) status = enqueue(call, "encode_merge_kernel", encode_merge_kernel, grid, task, verify);
  verify.front = true;
  if (!status) status = launch_verify(call, work, verify, from);
  if (status || !verify.two_goes) return status;
  status = enqueue(call, "encode_prune_kernel", encode_prune_kernel, grid, verify);
  verify.front = false;
  return status ? status : launch_verify(call, work, verify, from);
}

}   // namespace
}   // namespace transweld
