// The one pool of threads of a process. A region is a list of items handed out one by one; whoever is awake takes part.
//
// A caller never waits for a sleeping worker: it publishes the region, works, withdraws the region, and waits only for
// the workers that have entered. (Worker: entered += 1, then look for a region. Caller: region = none, then look at
// entered. Both sequentially consistent, so one of the two sees the other.)
#include "pool.h"

#include <atomic>
#include <mutex>
#include <new>
#include <thread>
#if defined(__linux__)
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace transweld {
namespace {

struct Region {
  void (*body)(void*, size_t, unsigned);
  void* closure;
  size_t items;
  unsigned threads;                        // what the caller has room for: the pool may be larger
  const volatile int32_t* stop;
  std::atomic<size_t> next{0};
};

// About 20 us of polling before a thread sleeps: the next op of a step follows within that, and waking costs more.
constexpr int kSpins = 2000;

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

struct Pool {
  std::mutex owner;                        // held by the context whose region is running
  std::atomic<Region*> region{nullptr};
  std::atomic<uint32_t> ticket{0}, entered{0};
  unsigned workers = 0;
};

void take(Region& r, unsigned worker) {
  for (;;) {
    const size_t item = r.next.fetch_add(1, std::memory_order_relaxed);
    if (item >= r.items || *r.stop) return;
    r.body(r.closure, item, worker);
  }
}

void serve(Pool& pool, unsigned worker) {
  yield_to_event_loop();
  uint32_t seen = 0;
  for (;;) {
    for (int i = 0; i < kSpins && pool.ticket.load(std::memory_order_acquire) == seen; i++) relax();
    pool.ticket.wait(seen, std::memory_order_acquire);
    seen = pool.ticket.load(std::memory_order_acquire);
    pool.entered.fetch_add(1);
    if (Region* r = pool.region.load(); r && worker < r->threads) take(*r, worker);
    if (pool.entered.fetch_sub(1) == 1) pool.entered.notify_one();
  }
}

// Never destroyed: its threads outlive every static object, and the module stays mapped (-z nodelete).
Pool& pool(unsigned threads) {
  static Pool* const one = [threads] {
    Pool* p = new Pool;
    for (unsigned i = 1; i < threads; i++) {
      try { std::thread(serve, std::ref(*p), i).detach(); } catch (...) { break; }   // fewer threads, same results
      p->workers++;
    }
    return p;
  }();
  return *one;
}

}   // namespace

// The same claim as the queue's thread has, for the same reason: src/bind/priority.h.
void yield_to_event_loop() {
#if defined(__linux__)
  struct { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t runtime, deadline, period; }
    wanted = {48, SCHED_BATCH, 0, getpriority(PRIO_PROCESS, static_cast<id_t>(getpid())) + 5, 0, 100'000'000 /* ns */, 0, 0};
  if (syscall(SYS_sched_setattr, 0, &wanted, 0) == 0) return;   // 0 is this thread alone
  sched_param none{};
  sched_setscheduler(0, SCHED_BATCH, &none);
#endif
}

void run_region(unsigned threads, const volatile int32_t* stop, size_t items, void (*body)(void*, size_t, unsigned), void* closure) {
  Region region{body, closure, items, threads, stop};
  if (threads <= 1 || items <= 1) return take(region, 0);
  Pool& p = pool(threads);
  std::unique_lock lock(p.owner, std::try_to_lock);
  if (!lock) return take(region, 0);       // another context is computing: work alone rather than wait
  p.region.store(&region);
  p.ticket.fetch_add(1, std::memory_order_release);
  p.ticket.notify_all();
  take(region, 0);
  p.region.store(nullptr);
  for (int i = 0; i < kSpins && p.entered.load() != 0; i++) relax();
  for (uint32_t n; (n = p.entered.load()) != 0;) p.entered.wait(n);
}

}   // namespace transweld
