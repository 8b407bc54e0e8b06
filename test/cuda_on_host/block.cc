// Running one block: the choice of who goes on, the switches between threads, barriers, exits, and the words of a failure.
// A thread that returns hands its stack to the next one that has not begun: a kernel without barriers runs as a loop of calls.
#include "block.h"
#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace cuda_on_host {
thread_local constinit Thread* self = nullptr;
thread_local constinit Coordinates here{};
thread_local constinit Block* block = nullptr;

namespace {
// Every stack's first function.
void carry() {
  arrived();
  for (;;) {
    acquire(&block->begins);
    block->body(block->arguments);
    release(&block->ends);
    block->finish();
  }
}
}

Block::Block() {
  adopt(host);
  memory = make_shared_memory();
  copies = make_copies();
  objects = make_objects();
  products = make_products();
}

Block::~Block() {
  abandon();
  destroy(products);
  destroy(objects);
  destroy(copies);
  destroy(memory);
}

void Block::start(dim3 size) {
  count = live = size.x * size.y * size.z;
  awake = 0;
  sequence++;
  const unsigned used = (count + 31) / 32;
  for (unsigned w = 0; w < used; w++) {
    const uint32_t lanes = count - w * 32 >= 32 ? ~0u : (1u << (count - w * 32)) - 1;
    Warp& now = warps[w];
    now.exists = now.live = now.ready = lanes;
    now.todo = now.arrived = now.wide = 0;
    awake |= 1u << w;
  }
  warp = choose(awake);
  for (; busy; busy &= busy - 1) {   // what a failed block left
    Barrier& barrier = barriers[std::countr_zero(busy)];
    barrier.arrived = 0;
    std::memset(barrier.waiting, 0, sizeof barrier.waiting);
  }
  unsigned i = 0;
  for (unsigned z = 0; z < size.z; z++) {
    for (unsigned y = 0; y < size.y; y++) {
      for (unsigned x = 0; x < size.x; x++, i++) {
        Thread& thread = threads[i];
        thread.index = {x, y, z};
        thread.linear = i;
        thread.fiber = nullptr;
        thread.copies_issued = thread.copies_done = thread.copies_group = 0;
        if (kRaces) {
          std::memset(thread.phase, 0, sizeof thread.phase);
          thread.fiber = take(thread);   // here: what makes a context is taken to come before it
        }
      }
    }
  }
}

void Block::run(dim3 size) {
  start(size);
  while (live && !failed) {
    if (Thread* next = pick()) {
      go(host, next);
    } else if (!land(*this)) {
      for (unsigned i = 0; i < count; i++) {
        if (!(warps[i / 32].live >> i % 32 & 1)) continue;
        self = nullptr;
        fail("deadlock: %u of %u threads wait, the first is %s%s", live, count, words(threads[i]), missing(*this, i));
        break;
      }
    }
  }
  self = nullptr;
}

uint32_t Block::next_random() {
  random ^= random << 13;
  random ^= random >> 7;
  random ^= random << 17;
  return static_cast<uint32_t>(random >> 32);
}

unsigned Block::choose(uint32_t set) {
  if (order == kForward) return std::countr_zero(set);
  if (order == kReverse) return 31 - std::countl_zero(set);
  const unsigned turn = next_random() & 31;
  return (std::countr_zero(std::rotr(set, turn)) + turn) & 31;
}

Thread* Block::pick() {
  if (order == kSeeded && awake && (next_random() & 7) == 0) warp = choose(awake);   // leaves a warp half-way
  for (;;) {
    Warp& now = warps[warp];
    if (!now.todo) {
      now.todo = now.ready;
      now.ready = 0;
    }
    if (now.todo) {
      const unsigned lane = choose(now.todo);
      now.todo &= ~(1u << lane);
      return &threads[warp * 32 + lane];
    }
    awake &= ~(1u << warp);
    if (!awake) return nullptr;
    warp = choose(awake);
  }
}

Fiber* Block::make(Fiber* fiber) {
  if (kRaces && !fiber->context) fiber->context = create_context();
  const unsigned i = static_cast<unsigned>(fiber - fibers);
  fiber->stack = stacks.at(i);
  prepare(*fiber, i, carry);
  return fiber;
}

Fiber* Block::take(const Thread& thread) {
  if (kRaces) {
    // A stack of its own for each thread, and up to eight sets of them in turn for the blocks: what one stack runs first and then
    // looks ordered to the race detector, and through a barrier all that the two blocks do.
    const unsigned sets = std::min(8u, kMostFibers / count);
    Fiber* fiber = &fibers[sequence % sets * count + (thread.linear + sequence) % count];
    return fiber->sp ? fiber : make(fiber);
  }
  Fiber* fiber = idle_count ? idle[--idle_count] : make(&fibers[made++]);
  if (!fiber->used) {
    fiber->used = true;
    used[used_count++] = fiber;
  }
  return fiber;
}

void Block::go(Fiber& from, Thread* next) {
  self = next;
  if (!next) return switch_fiber(from, host);
  if (!next->fiber) next->fiber = take(*next);
  switch_fiber(from, *next->fiber);
}

void Block::yield() {
  Thread* me = self;
  Thread* next = pick();
  if (next != me) go(*me->fiber, next);
}

void Block::wake(const uint32_t (&lanes)[kMostWarps]) {
  for (unsigned w = 0; w < (count + 31) / 32; w++) {
    if (lanes[w]) wake(w, lanes[w]);
  }
  warp = choose(awake);   // not the last to come: it would lead in every order
}

void Block::open(Barrier& barrier) {
  wake(barrier.waiting);
  std::memset(barrier.waiting, 0, sizeof barrier.waiting);
  barrier.arrived = 0;
  busy &= ~(1u << (&barrier - barriers));
}

void Block::finish() {
  Thread* me = self;
  Fiber* fiber = me->fiber;
  const unsigned lane = me->linear % 32;
  Warp& now = warps[me->linear / 32];
  now.live &= ~(1u << lane);
  live--;
  for (uint32_t left = now.arrived; left; left &= left - 1) {
    const unsigned other = std::countr_zero(left);
    if (!(now.mask[other] >> lane & 1)) continue;
    fail("lane %u exits while a collective waits for it: %s", lane, words(threads[me->linear - lane + other]));
  }
  for (uint32_t left = busy; left; left &= left - 1) {
    Barrier& barrier = barriers[std::countr_zero(left)];
    if (!barrier.threads && barrier.arrived == live) open(barrier);
  }
  Thread* next = pick();
  if (!kRaces) {
    if (next && !next->fiber) {
      next->fiber = fiber;
      self = next;
      return;
    }
    idle[idle_count++] = fiber;
  }
  go(*fiber, next);
}

// The threads of a block that failed never go on: their stacks begin anew.
void Block::abandon() {
  for (Fiber& fiber : fibers) {
    if (!fiber.context) continue;
    switch_context(fiber.context);
    release(&ends);   // in the name of that thread: what it read is the host's again
    switch_context(host.context);
    destroy_context(fiber.context);
    fiber.context = nullptr;
    fiber.sp = nullptr;
  }
  idle_count = made = 0;
}

void Block::check_stacks() {
  for (; used_count; used_count--) {
    Fiber& fiber = *used[used_count - 1];
    fiber.used = false;
    if (!failed && overflowed(fiber)) fail("stack overflow: a thread of this kernel needs more than %zu KiB", kStackBytes >> 10);
  }
  if (failed) abandon();
}

void wait_barrier(int id, unsigned count, place where) {
  Block& now = *block;
  Thread& me = *self;
  me.where = where;
  if (id < 0 || id >= static_cast<int>(kBarriers)) fail("there is no barrier %d: %s", id, words(me));
  if (count % 32 || count > now.count) fail("barrier %d of %u threads: not whole warps of this block: %s", id, count, words(me));
  Barrier& barrier = now.barriers[id];
  if (!barrier.arrived) {
    barrier.first = where;
    barrier.threads = count;
    now.busy |= 1u << id;
  } else if (count != barrier.threads || (!count && !same(where, barrier.first))) {
    fail("divergent barrier: %s, others at %s:%u", words(me), barrier.first.file_name(), static_cast<unsigned>(barrier.first.line()));
  }
  barrier.waiting[me.linear / 32] |= 1u << me.linear % 32;
  char* token = &now.tokens->barrier[id][kRaces ? me.phase[id]++ & 1 : 0];
  release(token);
  if (++barrier.arrived == (count ? count : now.live)) now.open(barrier);
  now.yield();
  acquire(token);
}

void fence() {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  acquire(&block->fences);
  release(&block->fences);
}

bool same(place a, place b) {
  if (std::memcmp(&a, &b, sizeof a) == 0) return true;
  return a.line() == b.line() && a.column() == b.column() && !std::strcmp(a.file_name(), b.file_name());
}

const char* words(const Thread& thread) {
  char* out = block->text[block->text_turn++ % 4];
  const uint3 t = thread.index, b = here.block_index;
  std::snprintf(out, sizeof block->text[0], "thread (%u,%u,%u) of block (%u,%u,%u) at %s:%u", t.x, t.y, t.z, b.x, b.y, b.z, thread.where.file_name(),
                static_cast<unsigned>(thread.where.line()));
  return out;
}

void fail(const char* format, ...) {
  Block& now = *block;
  if (!now.failed) {
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(now.why, sizeof now.why, format, arguments);
    va_end(arguments);
    now.failed = true;
  }
  if (!self) return;
  Fiber& fiber = *self->fiber;
  self = nullptr;
  release(&now.ends);
  switch_fiber(fiber, now.host);
}
}
