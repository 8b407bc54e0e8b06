// The screened product itself: x̂ · ŵ of 128 or 256 rows with all features on tensor cores. [N, F] never exists: sums stay in
// registers and a Taker (encode_candidates.h) makes candidates of them.
//
//   x codes [N/128][D/depth] tiles ─┐
//   w codes [F/128][D/depth] tiles ─┴─► a ring of 16 KB tiles in shared memory ─► 128 × 128 sums by four warps
//
// A block walks its split of the feature tiles; the ring keeps being filled across tiles, so that copies run while sums are looked
// at. Blocks beside each other take other rows and the same features, which pass through the second cache once for all of them.
//   mma.sync  (sm_80 up)  128 rows, 128 threads: cp.async, ldmatrix, m16n8k16 bf16 or m16n8k32 i8. A warp has 32 rows × 128
//                         features: 10 ldmatrix for 32 products; two blocks a processor
//   wgmma     (sm_90a)    256 rows, two warpgroups that multiply 128 rows each and a thread that copies: cp.async.bulk, m64n128k16
//                         or m64n128k32 straight from shared memory
//
// Flops 2·N·F·D. A step of wgmma is 48 KB of tiles for 256·128·128/s products, s = 1 or 2 bytes a column: 1024 cycles of the tensor
// cores for 48 bytes a cycle and processor from the second cache. That, and not the products, is the predicted limit where many
// processors read at once (a 256 × 128 tile without multicast); 128 rows alone would need 64.
#pragma once
#include "device/hopper.h"
#include "device/pipe.h"
#include "encode_candidates.h"

namespace transweld {
namespace {

constexpr unsigned kTileSteps = kShadowPitch / 32;   // a product takes 32 bytes of columns

// ---- mma.sync ------------------------------------------------------------------------------------------------------------

constexpr unsigned kMmaThreads = 128;

struct MmaShared {
  unsigned char tiles[tile::screen::kStages][2][kShadowTile];   // of x, of w
  Certificate own[kGroupRows];
  unsigned counts[kGroupRows];
};
static_assert(sizeof(SelectWork) <= 32 * kShadowPitch, "a warp's rows of a tile serve as its SelectWork");

template <uint32_t kScreen> __global__ void __launch_bounds__(kMmaThreads) encode_candidates_mma_kernel(ScreenTask task) {
  using Sum = typename SumOf<kScreen>::type;
  constexpr unsigned kStages = tile::screen::kStages;
  DYNAMIC_SHARED(MmaShared, shared);
  const unsigned bands = static_cast<unsigned>(blocks_of(task.rows, kGroupRows)), band = blockIdx.x % bands, split = blockIdx.x / bands;
  const unsigned begin = split * task.share, end = min(begin + task.share, task.tiles);
  const unsigned along = static_cast<unsigned>(task.w.tiles_of_row());
  const bool busy = band * kGroupRows + warp_of() * 32 < task.rows;
  const Taker<kScreen, Sum> taker{task, shared->own, shared->counts, band * uint64_t{kGroupRows}, split, warp_of() * 32, 16};
  taker.begin();

  unsigned next_tile = begin, next_part = 0, next_stage = 0;
  const auto copy_next = [&] {   // 2 · 16 KB, 16 chunks a thread
    if (next_tile < end) {
      const unsigned char* const from[2] = {task.x.tile(band, next_part), task.w.tile(uint64_t{next_tile} * task.step, next_part)};
#pragma unroll
      for (unsigned side = 0; side < 2; side++) {
#pragma unroll
        for (unsigned at = 0; at < kShadowTile; at += kMmaThreads * kChunkBytes) {
          copy_async<16>(shared->tiles[next_stage][side] + at + threadIdx.x * kChunkBytes, from[side] + at + threadIdx.x * kChunkBytes);
        }
      }
      if (++next_part == along) { next_part = 0; next_tile++; }
      if (++next_stage == kStages) next_stage = 0;
    }
    copies_commit();
  };
#pragma unroll
  for (unsigned i = 0; i + 1 < kStages; i++) copy_next();

  unsigned stage = 0;
  for (unsigned place = begin; place < end; place++) {
    Sum sum[2][16][4] = {};
    unsigned char* mine = nullptr;   // the warp's rows of x
    for (unsigned part = 0; part < along; part++) {
      copies_wait<kStages - 2>();
      __syncthreads();   // the tiles of this step are there for all, and all are done with those of the step before
      copy_next();
      mine = shared->tiles[stage][0] + warp_of() * 32 * kShadowPitch;
      const unsigned char* const features = shared->tiles[stage][1];
      if (++stage == kStages) stage = 0;
      if (!busy) continue;
      const unsigned l = lane_of();
#pragma unroll
      for (unsigned step = 0; step < kTileSteps; step++) {
        unsigned a[2][4];
#pragma unroll
        for (unsigned m = 0; m < 2; m++) {
          load_fragments(a[m], mine + (m * 16 + l % 16) * kShadowPitch + ((2 * step + l / 16) ^ l % 8) * kChunkBytes);
        }
#pragma unroll
        for (unsigned n = 0; n < 16; n += 2) {
          unsigned b[4];
          load_fragments(b, features + (8 * n + l / 16 * 8 + l % 8) * kShadowPitch + ((2 * step + l / 8 % 2) ^ l % 8) * kChunkBytes);
          const unsigned left[2] = {b[0], b[1]}, right[2] = {b[2], b[3]};
#pragma unroll
          for (unsigned m = 0; m < 2; m++) {
            if constexpr (kScreen == TW_SCREEN_INT8) {
              mma_i8(sum[m][n], a[m], left);
              mma_i8(sum[m][n + 1], a[m], right);
            } else {
              mma_bf16(sum[m][n], a[m], left);
              mma_bf16(sum[m][n + 1], a[m], right);
            }
          }
        }
      }
    }
    if (!busy) continue;
    taker.take(sum, place);
    // The warp's own rows of the step's x are nobody's until the next barrier.
    taker.settle(*reinterpret_cast<SelectWork*>(mine));
  }
  taker.end();
}

// ---- wgmma ---------------------------------------------------------------------------------------------------------------

struct HopperShared {
  unsigned char tiles[tile::screen::kHopperStages][3][kShadowTile];   // of x, 2 · 128 rows, and of w
  Certificate own[2][kGroupRows];
  unsigned counts[2][kGroupRows];
  SelectWork work[8];
  Barrier full[tile::screen::kHopperStages], empty[tile::screen::kHopperStages];
};

// Two warpgroups that multiply and one of which a thread copies: 65536 registers are 2 · 128 · 232 and 128 · 40.
constexpr unsigned kHopperThreads = 384, kRegistersMultiply = 232, kRegistersCopy = 40;

template <uint32_t kScreen> __device__ __forceinline__ void walk_by_warpgroups(const ScreenTask& task) {
  using Sum = typename SumOf<kScreen>::type;
  constexpr unsigned kStages = tile::screen::kHopperStages;
  DYNAMIC_SHARED(HopperShared, shared);
  const unsigned bands = static_cast<unsigned>(blocks_of(task.rows, kScreenBand)), band = blockIdx.x % bands, split = blockIdx.x / bands;
  const unsigned begin = split * task.share, end = min(begin + task.share, task.tiles);
  const unsigned along = static_cast<unsigned>(task.w.tiles_of_row());
  const unsigned groups = task.rows - band * kScreenBand > kGroupRows ? 2 : 1;   // warpgroups with rows
  if (threadIdx.x == 0) {
    for (unsigned s = 0; s < kStages; s++) {
      shared->full[s].init(1);
      shared->empty[s].init(4 * groups);   // a warp each
    }
    barriers_ready();
  }
  __syncthreads();   // the barriers exist
  unsigned stage = 0, phase = 0;
  const auto advance = [&] {
    if (++stage < kStages) return;
    stage = 0;
    phase ^= 1;
  };

  if (warp_of() >= 8) {   // copies
    registers_down<kRegistersCopy>();
    if (threadIdx.x != 256) return;
    for (unsigned place = begin; place < end; place++) {
      for (unsigned part = 0; part < along; part++) {
        shared->empty[stage].wait(phase ^ 1);   // the phase before the first counts as ended
        shared->full[stage].expect((groups + 1) * kShadowTile);
        for (unsigned group = 0; group < groups; group++) {
          bulk_load(shared->tiles[stage][group], task.x.tile(2 * band + group, part), kShadowTile, shared->full[stage]);
        }
        bulk_load(shared->tiles[stage][2], task.w.tile(uint64_t{place} * task.step, part), kShadowTile, shared->full[stage]);
        advance();
      }
    }
    return;
  }

  registers_up<kRegistersMultiply>();
  const unsigned group = warp_of() / 4;
  if (group >= groups) return;
  const uint64_t first = band * kScreenBand + group * kGroupRows;
  const Taker<kScreen, Sum> taker{task, shared->own[group], shared->counts[group], first, split, warp_of() % 4 * 16, 64};
  taker.begin();
  for (unsigned place = begin; place < end; place++) {
    Sum sum[2][16][4];
    Barrier* last = nullptr;   // of the step whose products may still be under way
    for (unsigned part = 0; part < along; part++) {
      shared->full[stage].wait(phase);
      const unsigned char *const x = shared->tiles[stage][group], *const w = shared->tiles[stage][2];
      wgmma_fence();
#pragma unroll
      for (unsigned step = 0; step < kTileSteps; step++) {
#pragma unroll
        for (unsigned m = 0; m < 2; m++) {
          const unsigned char* const rows = x + m * 64 * kShadowPitch + step * 32;
          if constexpr (kScreen == TW_SCREEN_INT8) wgmma_i8(sum[m], rows, w + step * 32, part || step);
          else wgmma_bf16(sum[m], rows, w + step * 32, part || step);
        }
      }
      wgmma_commit();
      wgmma_wait<1>();   // the step before has read its tiles
      if (last && lane_of() == 0) last->arrive();
      last = &shared->empty[stage];
      advance();
    }
    wgmma_wait<0>();
    sums_ready(sum[0]);
    sums_ready(sum[1]);
    if (lane_of() == 0) last->arrive();
    taker.take(sum, place);
    taker.settle(shared->work[warp_of()]);
  }
  taker.end();
}

// Empty in the code of other chips, and for a warp alone, which tells the launcher to take mma.sync there.
template <uint32_t kScreen>
__global__ void __launch_bounds__(kHopper ? kHopperThreads : 32, 1) encode_candidates_wgmma_kernel([[maybe_unused]] const __grid_constant__ ScreenTask task) {
  if constexpr (kHopper) walk_by_warpgroups<kScreen>(task);
}

}   // namespace
}   // namespace transweld
