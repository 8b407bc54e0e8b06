// The meeting of a warp's or a warpgroup's lanes. Counted by bits of a mask: a scan of the lanes would cost more than the switch.
// Stricter than the hardware: a lane that has exited may not stand in a mask.
#include "collective.h"
#include <bit>
#include "block.h"

namespace cuda_on_host {
namespace {
constexpr unsigned kMostLanes = 128;

// All that meet must stand at the same place with the same mask; false when somebody of the mask waits in another one.
bool agree(Block& now, unsigned warp, uint32_t lanes, uint32_t mask, place where) {
  Warp& w = now.warps[warp];
  for (uint32_t left = lanes; left; left &= left - 1) {
    const unsigned lane = std::countr_zero(left);
    if (w.mask[lane] != mask) return false;
    const Thread& other = now.threads[warp * 32 + lane];
    if (!same(other.where, where)) fail("lanes meet at different collectives: %s, %s", words(other), words(*self));
  }
  return true;
}

void release_lanes(Block& now, unsigned warp, uint32_t lanes) {
  now.warps[warp].arrived &= ~lanes;
  now.warps[warp].wide &= ~lanes;
  now.wake(warp, lanes);
}

void meet_warp(Block& now, unsigned warp, uint32_t lanes, Combine combine, const void* extra, bool fence) {
  Warp& w = now.warps[warp];
  if (fence) acquire(&now.tokens->come[warp]);
  if (lanes == ~0u) {
    combine(w.in, w.out, 32, extra);
  } else {
    const void* in[32]{};
    void* out[32]{};
    for (uint32_t left = lanes; left; left &= left - 1) {
      const unsigned lane = std::countr_zero(left);
      in[lane] = w.in[lane];
      out[lane] = w.out[lane];
    }
    combine(in, out, 32, extra);
  }
  if (kRaces) {
    char* gone = fence ? &now.tokens->gone[warp][w.turn++ & 3] : nullptr;
    if (gone) release(gone);
    for (uint32_t left = lanes; left; left &= left - 1) now.threads[warp * 32 + std::countr_zero(left)].token = gone;
  }
  release_lanes(now, warp, lanes);
}

void meet_warpgroup(Block& now, unsigned first, Combine combine, const void* extra, place where) {
  const void* in[kMostLanes]{};
  void* out[kMostLanes]{};
  for (unsigned w = 0; w < 4; w++) {
    agree(now, first + w, ~0u, ~0u, where);
    for (unsigned lane = 0; lane < 32; lane++) {
      in[w * 32 + lane] = now.warps[first + w].in[lane];
      out[w * 32 + lane] = now.warps[first + w].out[lane];
    }
  }
  combine(in, out, kMostLanes, extra);
  for (unsigned w = 0; w < 4; w++) release_lanes(now, first + w, ~0u);
}
}

void rendezvous(unsigned mask, unsigned group, const void* in, void* out, Combine combine, const void* extra, place where, bool fence) {
  Block& now = *block;
  Thread& me = *self;
  const unsigned warp = me.linear / 32, lane = me.linear % 32;
  Warp& w = now.warps[warp];
  me.where = where;
  me.token = nullptr;
  if (!(mask >> lane & 1)) fail("a lane that is not in its own mask 0x%08x: %s", mask, words(me));
  if (mask & w.exists & ~w.live) fail("a mask 0x%08x that names lanes which have exited (0x%08x): %s", mask, w.exists & ~w.live, words(me));
  w.in[lane] = in;
  w.out[lane] = out;
  w.mask[lane] = mask;
  w.arrived |= 1u << lane;
  if (group == 32) {
    if (fence) release(&now.tokens->come[warp]);
    const uint32_t lanes = mask & w.exists;
    if ((w.arrived & ~w.wide & lanes) == lanes && agree(now, warp, lanes, mask, where)) meet_warp(now, warp, lanes, combine, extra, fence);
  } else {
    w.wide |= 1u << lane;
    const unsigned first = warp & ~3u;
    if ((first + 4) * 32 > now.count || mask != ~0u) fail("a warpgroup is four whole warps: %s", words(me));
    uint32_t all = ~0u;
    for (unsigned i = 0; i < 4; i++) all &= now.warps[first + i].arrived & now.warps[first + i].wide;
    if (all == ~0u) meet_warpgroup(now, first, combine, extra, where);
  }
  now.yield();
  if (kRaces && me.token) acquire(me.token);
}
}
