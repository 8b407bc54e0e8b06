// What one environment (the main thread, or a worker) holds: its open devices and its blocks. Nothing here is static, so
// any number of workers may load the addon, and one that is terminated takes only its own things along.
#pragma once
#include <node_api.h>
#include <vector>
#include "block.h"
#include "queue.h"

namespace transweld {

struct Device {
  std::shared_ptr<Engine> engine;
  std::unique_ptr<Queue> queue;
  int64_t external_share;          // this part of a block's bytes (1/share) is told to JavaScript's collector
};

// JavaScript names a block by a number: index + generation · 2^24. A number is five times cheaper to pass than a tagged
// external, and a stale one is recognised by its generation.
struct Slot {
  std::shared_ptr<Block> block;
  napi_ref owner = nullptr;        // weak: the JavaScript object that owns the block
  uint32_t generation = 0;
  uint32_t device = 0;
};

class Instance : public std::enable_shared_from_this<Instance> {
 public:
  explicit Instance(napi_env env) : env(env) {}

  double add_device(const tw_op_table*, uint32_t index, uint64_t limit_bytes, bool is_gpu);
  Device& device(double id);                              // Fault when it is closed
  void close_device(double id);                           // its blocks go too; what is awaited is rejected

  double add_block(double device, uint64_t bytes);
  void set_owner(double id, napi_ref owner);
  const std::shared_ptr<Block>& block(double id);         // Fault when it is gone
  bool release(double id);                                // false where it is gone already
  void reclaim(double device);                            // frees all that can be freed at once: see instance.cc

  void shut_down();                                       // the environment ends: joins the queues, frees everything

  napi_env env;

 private:
  Slot* find(double id);
  void drop(uint32_t index);
  std::vector<std::unique_ptr<Device>> devices_;          // index = id; null where closed
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_slots_;
  bool is_shut_down_ = false;
};

}   // namespace transweld
