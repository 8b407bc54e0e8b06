// Native memory that tensors and queued jobs share.
#pragma once
#include <cstdint>
#include <memory>
#include "../op_table.h"
#include "failure.h"

namespace transweld {

class LateCalls;

// An open context of a backend. It closes when the last block of it is gone: a block may outlive its device's queue.
struct Engine {
  Engine(const tw_op_table* table, uint32_t device, uint64_t limit_bytes, bool is_deferred);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  void request_stop() { __atomic_store_n(&stop, 1, __ATOMIC_RELEASE); }

  const tw_op_table* table;
  tw_context* context = nullptr;
  int32_t stop = 0;   // polled by ops between tiles
  std::unique_ptr<LateCalls> late;   // the queue's thread only; null where an op has finished when its entry returns
};

// The storage of one tensor and its views. Its last owner, a slot or a job, frees it, on whatever thread that is.
struct Block {
  Block(std::shared_ptr<Engine>, uint64_t bytes);
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  std::shared_ptr<Engine> engine;
  uint64_t bytes;
  void* data = nullptr;   // never null: an empty tensor has room for one cache line
  Poison poison;          // the queue's thread only
};

}   // namespace transweld
