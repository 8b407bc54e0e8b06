// A stack with a place to go on from: what CUDA threads run on.
#pragma once
#include <cstddef>

#if defined(__SANITIZE_ADDRESS__) || defined(CUDA_ON_HOST_TSAN)
#define CUDA_ON_HOST_SANITIZED 1
#else
#define CUDA_ON_HOST_SANITIZED 0
#endif

namespace cuda_on_host {
// Under a sanitizer frames are larger and each stack has a guard page of its own. Otherwise all stacks lie in one arena of huge
// pages, because address translation costs more than the switch, with a canary at the lower end of each.
constexpr bool kGuardPages = CUDA_ON_HOST_SANITIZED;
constexpr size_t kStackBytes = kGuardPages ? 256 << 10 : 64 << 10;

struct Fiber {
  void* sp = nullptr;          // where it goes on (a ucontext on processors whose switch we have not written)
  char* stack = nullptr;       // lowest byte; none for the fiber that is the system's own thread
  size_t stack_bytes = 0;
  void* context = nullptr;     // the race detector's
  bool used = false;           // in the launch that runs
};

// The stacks of one system thread.
class Stacks {
 public:
  ~Stacks();
  char* at(unsigned i);        // the i-th, made when first asked for
 private:
  char* arena_ = nullptr;
  char* guarded_[2048] = {};
};

void adopt(Fiber& host);                                    // the calling system thread becomes a fiber
void prepare(Fiber& fiber, unsigned colour, void (*entry)());   // it begins with entry() at its next switch
void switch_fiber(Fiber& from, Fiber& to);
void arrived();                                             // the first thing on a new stack
bool overflowed(const Fiber& fiber);
}
