// An opened GPU: what `tw_context` is in this backend, and what a launcher may use besides its arguments.
//
// One stream a context: everything is enqueued there in the order of the calls, memory too (cudaMallocFromPoolAsync), so a block that
// is freed after the last call that uses it was enqueued may be given out again at once. A launcher never waits.
#pragma once
#include <mutex>
#include <vector>
#include "../src/expect.h"
#include "device/fault.h"

namespace transweld {

// What the launchers choose tiles by.
struct Chip {
  int major = 0, minor = 0;
  unsigned processors = 1;        // streaming multiprocessors
  size_t shared_bytes = 0;        // that a block may ask for
  uint64_t cache_bytes = 0;       // second level
};

struct Opened {
  int device = 0;
  Chip chip;
  cudaStream_t stream = nullptr;
  cudaMemPool_t pool = nullptr;   // our own: what it keeps is ours, and other libraries of the process keep theirs
  const volatile int32_t* stop = nullptr;
  char error[512] = "";
  unsigned long long call = 0;    // of an op, from 1

  Faults* faults = nullptr;       // device memory
  Faults* seen = nullptr;         // pinned: where `wait` looks at them
  struct Late { unsigned long long first, received; };
  std::vector<Late> late;         // reports that `wait` has not told yet, the latest call first
  char* staging = nullptr;        // pinned, kStages · kStagingBytes
  cudaEvent_t staged[2] = {};     // the copy from or to a piece has ended
  unsigned turn = 0;              // the piece that is filled next

  std::mutex mutex;               // alloc and free come from any thread
  tw_memory held{};
  void* scratch_block = nullptr;
  uint64_t scratch_bytes = 0;

  cudaError_t take(uint64_t bytes, void** out);
  cudaError_t begin(uint32_t device, uint64_t limit_bytes);
  ~Opened();
  tw_status alloc(uint64_t bytes, void** out);
  void free(void* p, uint64_t bytes);
  void* scratch(uint64_t bytes);
  cudaError_t upload(char* to, const char* from, uint64_t bytes);
  cudaError_t download(char* to, const char* from, uint64_t bytes);
  tw_status copy(void* to, const void* from, uint64_t bytes, uint32_t direction);
  tw_status wait(uint64_t* late_call);
  cudaError_t look();
  void memory(tw_memory* out);
};

cudaStream_t stream(tw_context*);
const Chip& chip(tw_context*);

// Device memory for intermediates, valid until the op's last kernel has run; it grows to the largest request and is kept.
// Divide it with Divider (device/scratch.h). Null when memory is out: `return out_of_scratch(context, bytes)`.
void* scratch(tw_context*, size_t bytes);
tw_status out_of_scratch(tw_context*, size_t bytes);

// What kernels of the running call report through.
Report report(tw_context*);

// TW_OK, or words about why a launch failed: `return launched(context, launch(...), "sparse_decode_rows_kernel")`.
tw_status launched(tw_context*, cudaError_t, const char* what);

}   // namespace transweld

struct tw_context : transweld::Opened {};
