// An opened CPU device: what `tw_context` is in this backend.
#pragma once
#include <map>
#include <mutex>

#include "context.h"

namespace transweld {

struct Opened {
  unsigned threads = 1;
  const volatile int32_t* stop = nullptr;
  char error[512] = "";

  std::mutex mutex;                          // alloc and free come from any thread
  tw_memory held{};
  std::multimap<uint64_t, void*> cache;      // rounded size → freed blocks, kept for the next alloc
  void* scratch_block = nullptr;             // one thread at a time: the context's own
  uint64_t scratch_bytes = 0;

  tw_status alloc(uint64_t bytes, void** out);
  void free(void* p, uint64_t bytes);
  void* scratch(uint64_t bytes);
  void drop_cache();
  ~Opened();
};

}   // namespace transweld

struct tw_context : transweld::Opened {};
