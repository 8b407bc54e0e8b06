// wgmma: products that wait in each lane's list until they are waited for. Meanwhile their accumulators are kept here and the
// lane's own are NaN bytes; two products on the same accumulators follow each other in order.
#include "warpgroup.h"
#include <sys/mman.h>
#include <cstdlib>
#include "block.h"
#include "collective.h"

namespace cuda_on_host {
namespace {
constexpr unsigned kMostProducts = 64, kMostTiles = 8, kMostAccumulators = 256, kOperandBytes = 128;
}

struct Products {
  struct Issued {
    alignas(16) char in[kOperandBytes];
    Product product;
    unsigned tile, group;
  };
  struct Tile {
    float* d;
    unsigned count, under_way;
    float kept[kMostAccumulators];
  };
  struct Lane {
    unsigned block_sequence;      // of the block that used it last
    unsigned issued, done, group;
    bool fenced;
    Tile tiles[kMostTiles];
    Issued of[kMostProducts];
  };

  Lane lanes[kMostThreads];
};
using Lane = Products::Lane;
using Tile = Products::Tile;
using Issued = Products::Issued;

Products* make_products() {
  void* p = mmap(nullptr, sizeof(Products), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) std::abort();
  return static_cast<Products*>(p);
}
void destroy(Products* products) { munmap(products, sizeof(Products)); }

namespace {
void keep(Tile& tile) {
  for (unsigned i = 0; i < tile.count; i++) {
    tile.kept[i] = tile.d[i];
    static_cast<volatile float*>(tile.d)[i] = __builtin_nanf("");
  }
}

Lane& mine(place where) {
  self->where = where;
  Lane& lane = block->products->lanes[self->linear];
  if (lane.block_sequence != block->sequence) {
    lane.block_sequence = block->sequence;
    lane.issued = lane.done = lane.group = 0;
    lane.fenced = false;
    for (Tile& tile : lane.tiles) tile.under_way = 0;
  }
  return lane;
}
}

void wgmma_fence(place where) { mine(where).fenced = true; }

void wgmma_issue(float* d, unsigned count, const void* in, unsigned bytes, Product product, place where) {
  Lane& lane = mine(where);
  if (!lane.fenced) fail("wgmma without wgmma_fence since its registers were last touched: %s", words(*self));
  if (count > kMostAccumulators || lane.issued - lane.done == kMostProducts) fail("too large or too many wgmma: %s", words(*self));
  unsigned i = 0;
  while (i < kMostTiles && !(lane.tiles[i].under_way && lane.tiles[i].d == d)) i++;
  if (i == kMostTiles) {
    for (i = 0; i < kMostTiles && lane.tiles[i].under_way; i++) {
    }
    if (i == kMostTiles) fail("more than %u accumulator tiles under way: %s", kMostTiles, words(*self));
    lane.tiles[i].d = d;
    lane.tiles[i].count = count;
    keep(lane.tiles[i]);
  }
  lane.tiles[i].under_way++;
  Issued& issued = lane.of[lane.issued++ % kMostProducts];
  for (unsigned i = 0; i < bytes; i++) static_cast<volatile char*>(issued.in)[i] = static_cast<const char*>(in)[i];   // see copies.cc
  issued.product = product;
  issued.tile = i;
  issued.group = lane.group;
}

void wgmma_commit(place where) { mine(where).group++; }

void wgmma_wait_groups(unsigned groups_left, place where) {
  Lane& lane = mine(where);
  lane.fenced = false;
  for (; lane.done != lane.issued; lane.done++) {
    const Issued& issued = lane.of[lane.done % kMostProducts];
    if (issued.group + groups_left >= lane.group) return;
    Tile& tile = lane.tiles[issued.tile];
    for (unsigned i = 0; i < tile.count; i++) tile.d[i] = tile.kept[i];
    const Product product = issued.product;
    const auto multiply = [](const void* const* in, void* const* out, unsigned lanes, const void* extra) {
      (*static_cast<const Product*>(extra))(in, reinterpret_cast<float* const*>(out), lanes);
    };
    rendezvous(~0u, 128, issued.in, tile.d, multiply, &product, where, false);
    if (--tile.under_way) keep(tile);
  }
}
}
