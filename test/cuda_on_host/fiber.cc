// The context switch, stacks, and what the sanitizers must be told about both.
// A switch saves the six callee-saved registers of the System V convention and goes on at the other stack's saved address:
// glibc's swapcontext does two system calls for the signal mask and takes ten times as long.
#include "fiber.h"
#include <pthread.h>
#include <sys/mman.h>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include "races.h"
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

// Other processors, and this one where CUDA_ON_HOST_UCONTEXT is defined, switch by swapcontext.
#if defined(__x86_64__) && !defined(CUDA_ON_HOST_UCONTEXT)
#define CUDA_ON_HOST_SWITCH
// `jmp` and not `ret`: the processor's return predictor knows nothing of the other stack.
asm(R"(
.text
.globl cuda_on_host_switch
.hidden cuda_on_host_switch
.type cuda_on_host_switch,@function
cuda_on_host_switch:
  pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
  popq %rcx
  jmp *%rcx
.size cuda_on_host_switch, .-cuda_on_host_switch
)");
extern "C" void cuda_on_host_switch(void** save_sp, void* to_sp);
#else
#include <ucontext.h>
#endif

namespace cuda_on_host {
namespace {
constexpr size_t kPage = 4096, kHugePage = 2 << 20, kCanary = 64;
constexpr unsigned kMostStacks = 2048;

char* map(size_t bytes) {
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) std::abort();
  return static_cast<char*>(p);
}
size_t arena_bytes() { return (kMostStacks + 1) * kStackBytes + kHugePage; }
}

char* Stacks::at(unsigned i) {
  if (i >= kMostStacks) std::abort();
  if (kGuardPages) {
    if (!guarded_[i]) {
      guarded_[i] = map(kStackBytes + kPage);
      mprotect(guarded_[i], kPage, PROT_NONE);
    }
    return guarded_[i] + kPage;
  }
  if (!arena_) {
    arena_ = map(arena_bytes());
    madvise(arena_, arena_bytes(), MADV_HUGEPAGE);
  }
  char* stack = arena_ + (i + 1) * kStackBytes;   // what lies below the first one is nobody's
  std::memset(stack, 0x5a, kCanary);
  return stack;
}

Stacks::~Stacks() {
  if (arena_) munmap(arena_, arena_bytes());
  for (char* stack : guarded_) {
    if (stack) munmap(stack, kStackBytes + kPage);
  }
}

bool overflowed(const Fiber& fiber) {
  if (kGuardPages) return false;   // the guard page has spoken
  for (size_t i = 0; i < kCanary; i++) {
    if (fiber.stack[i] != 0x5a) return true;
  }
  return false;
}

void adopt(Fiber& host) {
  pthread_attr_t attributes;
  void* low = nullptr;
  if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
    pthread_attr_getstack(&attributes, &low, &host.stack_bytes);
    pthread_attr_destroy(&attributes);
  }
  host.stack = static_cast<char*>(low);
  host.context = current_context();
#ifndef CUDA_ON_HOST_SWITCH
  if (!host.sp) host.sp = new ucontext_t;
#endif
}

void prepare(Fiber& fiber, unsigned colour, void (*entry)()) {
  fiber.stack_bytes = kStackBytes;
#ifdef __SANITIZE_ADDRESS__
  ASAN_UNPOISON_MEMORY_REGION(fiber.stack, kStackBytes);   // frames that a failed block left
#endif
#ifdef CUDA_ON_HOST_SWITCH
  // Stacks begin at different cache sets, else the hot ends of all of them share a few.
  void** top = reinterpret_cast<void**>(fiber.stack + kStackBytes - colour % 48 * 320) - 2;
  *--top = nullptr;                          // the address entry() would return to
  *--top = reinterpret_cast<void*>(entry);   // reached with rsp = 8 mod 16, as after a call: else the first SSE spill crashes
  for (int i = 0; i < 6; i++) *--top = nullptr;
  fiber.sp = top;
#else
  (void)colour;
  ucontext_t* context = fiber.sp ? static_cast<ucontext_t*>(fiber.sp) : new ucontext_t;
  getcontext(context);
  context->uc_stack.ss_sp = fiber.stack;
  context->uc_stack.ss_size = kStackBytes;
  context->uc_link = nullptr;
  makecontext(context, entry, 0);
  fiber.sp = context;
#endif
}

void switch_fiber(Fiber& from, Fiber& to) {
#ifdef __SANITIZE_ADDRESS__
  void* fake = nullptr;
  __sanitizer_start_switch_fiber(&fake, to.stack, to.stack_bytes);
#endif
  switch_context(to.context);
#ifdef CUDA_ON_HOST_SWITCH
  cuda_on_host_switch(&from.sp, to.sp);
#else
  swapcontext(static_cast<ucontext_t*>(from.sp), static_cast<ucontext_t*>(to.sp));
#endif
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
}

void arrived() {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
}
}
