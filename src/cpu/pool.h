// The process-wide pool behind `parallel` of context.h.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace transweld {

// body(closure, item, worker) for every item; worker 0 is the caller. Ends early when *stop becomes non-zero.
void run_region(unsigned threads, const volatile int32_t* stop, size_t items, void (*body)(void*, size_t, unsigned), void* closure);

// Lowers the calling thread's claim on its core in favour of threads that sleep most of the time.
void yield_to_event_loop();

}   // namespace transweld
