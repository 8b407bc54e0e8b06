// Asynchronous copies into shared memory and the barrier objects that bulk copies complete on. The destination is NaN bytes from
// the issue until the wait, so that a missing wait reads NaN; the source is read at the wait, the latest the device may.
#pragma once
#include "thread.h"

namespace cuda_on_host {
// cp.async: 4, 8 or 16 bytes, of which those past `valid` become zero. Copies belong to the calling lane.
void defer(void* to_shared, const void* from_global, unsigned bytes, unsigned valid, place where = place::current());
void commit_copies();
void wait_copies(unsigned groups_left, place where = place::current());

// mbarrier: a word of shared memory. A phase ends when `count` arrivals have come and all expected bytes have landed.
void barrier_init(uint64_t* bar, unsigned count, place where = place::current());
void barrier_arrive(uint64_t* bar, place where = place::current());
void barrier_expect(uint64_t* bar, unsigned bytes, place where = place::current());   // one arrival, and bytes to wait for
void barrier_wait(uint64_t* bar, unsigned parity, place where = place::current());    // for the phase of that parity to end
// cp.async.bulk: 16-byte aligned, a multiple of 16 bytes; lands in the current phase of `bar`.
void bulk_copy(void* to_shared, const void* from_global, unsigned bytes, uint64_t* bar, place where = place::current());
}
