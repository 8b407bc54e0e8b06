// A launch: its limits, its blocks one after another in the device's order, its failure.
#include "grid.h"
#include <memory>
#include <numeric>
#include "block.h"
#include "device.h"

namespace cuda_on_host {
namespace {
// Made at a system thread's first launch: stacks and tables are kept for the next.
Block& block_of_this_thread() {
  static thread_local std::unique_ptr<Block> own;
  if (!own) own = std::make_unique<Block>();
  return *own;
}

// Visits 0 ... total − 1 in a shuffled order: a step without a common divisor, from a random start.
struct Walk {
  uint64_t total, at, step;
  Walk(Block& block, uint64_t total) : total(total), at(0), step(1) {
    if (block.order == kReverse) at = total - 1, step = total - 1;
    if (block.order != kSeeded) return;
    at = block.next_random() % total;
    do step = 1 + block.next_random() % total; while (std::gcd(step, total) != 1);
  }
  uint64_t next() {
    const uint64_t now = at;
    at = (at + step) % total;
    return now;
  }
};
}

cudaError_t run(const Launch& launch) {
  Device& on = device(device_of(launch.stream));
  if (const cudaError_t error = state(on)) return remember(error);
  const dim3 grid = launch.grid, size = launch.block;
  const uint64_t threads = uint64_t{size.x} * size.y * size.z;
  const bool good_grid = grid.x && grid.x <= 0x7fffffffu && grid.y && grid.y <= 65535 && grid.z && grid.z <= 65535;
  if (!good_grid || !threads || threads > kMostThreads || size.z > 64) return remember(cudaErrorInvalidConfiguration);
  if (launch.shared_bytes > kMostSharedBytes) return remember(cudaErrorInvalidValue);
  Block& now = block_of_this_thread();
  block = &now;
  now.failed = false;
  now.body = launch.body;
  now.arguments = launch.arguments;
  now.order = on.order;
  {
    std::lock_guard lock(on.mutex);
    now.random = (on.seed + ++on.launches) * 0x9e3779b97f4a7c15 | 1;
  }
  here.block_size = size;
  here.grid_size = grid;
  const uint64_t total = uint64_t{grid.x} * grid.y * grid.z;
  Walk walk(now, total);
  for (uint64_t k = 0; k < total && !now.failed; k++) {
    const uint64_t b = walk.next();
    const uint64_t row = b / grid.x;
    here.block_index = {static_cast<unsigned>(b % grid.x), static_cast<unsigned>(row % grid.y), static_cast<unsigned>(row / grid.y)};
    now.tokens = clear(now.memory, launch.shared_bytes);
    clear(now.objects);
    release(&now.begins);
    now.run(size);
  }
  now.check_stacks();
  acquire(&now.ends);   // only the end of the grid orders its blocks
  return now.failed ? remember(broken(on, now.why)) : cudaSuccess;
}
}
