// The queue's thread computes for seconds at a stretch; the event loop needs a core for microseconds, but at once.
#pragma once
#if defined(__linux__)
#include <sched.h>
#endif

namespace transweld {

// Lowers the calling thread's claim to be woken soon. Best effort: where it is refused, the thread stays as it was.
inline void yield_cores() {
#if defined(__linux__)
  const sched_param none = {};
  sched_setscheduler(0, SCHED_BATCH, &none);   // 0: this thread alone
#endif
}

}   // namespace transweld
