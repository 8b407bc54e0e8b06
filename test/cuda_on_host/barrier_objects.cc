// mbarrier objects and the bulk copies that land in their phases. The word in shared memory names a record here. A phase of
// arrivals alone ends with the last arrival; one that expects bytes ends when nobody in the block can go on otherwise: as late
// as the device may take, so that whoever does not wait reads NaN.
#include <bit>
#include "block.h"
#include "copies.h"

namespace cuda_on_host {
namespace {
constexpr unsigned kMostObjects = 64, kMostBulk = 1024;
constexpr uint64_t kMagic = 0xb0b1ec7ull << 32;
}

struct Objects {
  struct Object {
    uint64_t* bar;
    unsigned count, pending;
    uint64_t expected, queued;    // bytes of this phase: asked for, on their way
    uint32_t phase;               // how many have ended
    unsigned waiters;
    uint32_t waiting[kMostWarps];
  };
  struct Bulk {
    char* to;
    const char* from;
    unsigned bytes, object;
  };

  Object of[kMostObjects];
  Bulk bulk[kMostBulk];
  unsigned count, bulk_count;
};
using Object = Objects::Object;

Objects* make_objects() { return new Objects{}; }
void destroy(Objects* objects) { delete objects; }
void clear(Objects* objects) { objects->count = objects->bulk_count = 0; }

namespace {
// What orders memory at the end of a phase; a phase has one of four in turn.
char* token(const Object& object, uint32_t phase) { return &block->tokens->phase[&object - block->objects->of][phase & 3]; }

Object& find(uint64_t* bar, place where, void* caller) {
  self->where = where;
  reads(bar, sizeof *bar, caller);
  const uint64_t i = *bar - kMagic;
  if (i >= block->objects->count || block->objects->of[i].bar != bar) fail("a barrier object that was not initialised: %s", words(*self));
  return block->objects->of[i];
}

void end_phase(Block& now, Object& object) {
  object.pending = object.count;
  object.expected = object.queued = 0;
  object.phase++;
  if (!object.waiters) return;
  now.wake(object.waiting);
  object.waiters = 0;
  for (uint32_t& lanes : object.waiting) lanes = 0;
}

void arrive(Object& object) {
  if (!object.pending) fail("an arrival at a barrier object whose phase has all its %u and has not ended: %s", object.count, words(*self));
  release(token(object, object.phase));
  if (!--object.pending && !object.expected && !object.queued) end_phase(*block, object);
}
}

void barrier_init(uint64_t* bar, unsigned count, place where) {
  Objects& objects = *block->objects;
  self->where = where;
  unsigned i = 0;
  while (i < objects.count && objects.of[i].bar != bar) i++;
  if (i == kMostObjects || !count || reinterpret_cast<uintptr_t>(bar) % 8) {
    fail("a barrier object of %u arrivals, the block's number %u: %s", count, i + 1, words(*self));
  }
  if (i == objects.count) objects.count++;
  else if (objects.of[i].waiters || objects.of[i].queued) fail("a barrier object in use is initialised again: %s", words(*self));
  Object& object = objects.of[i];
  object = Object{};
  object.bar = bar;
  object.count = object.pending = count;
  writes(bar, sizeof *bar, CUDA_ON_HOST_CALLER);
  *bar = kMagic + i;
}

void barrier_arrive(uint64_t* bar, place where) { arrive(find(bar, where, CUDA_ON_HOST_CALLER)); }

void barrier_expect(uint64_t* bar, unsigned bytes, place where) {
  Object& object = find(bar, where, CUDA_ON_HOST_CALLER);
  object.expected += bytes;
  arrive(object);
}

void barrier_wait(uint64_t* bar, unsigned parity, place where) {
  Block& now = *block;
  Thread& me = *self;
  Object& object = find(bar, where, CUDA_ON_HOST_CALLER);
  while ((object.phase & 1) == (parity & 1)) {
    object.waiting[me.linear / 32] |= 1u << me.linear % 32;
    object.waiters++;
    now.yield();
  }
  acquire(token(object, object.phase - 1));
}

void bulk_copy(void* to_shared, const void* from_global, unsigned bytes, uint64_t* bar, place where) {
  Objects& objects = *block->objects;
  Object& object = find(bar, where, CUDA_ON_HOST_CALLER);
  if (!bytes || bytes % 16 || reinterpret_cast<uintptr_t>(to_shared) % 16 || reinterpret_cast<uintptr_t>(from_global) % 16) {
    fail("a bulk copy of %u bytes: size and both addresses must be multiples of 16: %s", bytes, words(*self));
  }
  if (objects.bulk_count == kMostBulk) fail("more than %u bulk copies of a block are under way: %s", kMostBulk, words(*self));
  char* to = static_cast<char*>(to_shared);
  reads(from_global, bytes, CUDA_ON_HOST_CALLER);
  writes(to, bytes, CUDA_ON_HOST_CALLER);
  for (unsigned i = 0; i < bytes; i += 16) __builtin_memset(to + i, 0xff, 16);
  object.queued += bytes;
  objects.bulk[objects.bulk_count++] = {to, static_cast<const char*>(from_global), bytes, static_cast<unsigned>(&object - objects.of)};
  release(token(object, object.phase));
}

bool land(Block& now) {
  Objects& objects = *now.objects;
  for (unsigned k = 0; k < objects.count; k++) {
    const unsigned i = now.order == kForward ? k : objects.count - 1 - k;
    Object& object = objects.of[i];
    if (!object.waiters || object.pending || object.queued != object.expected) continue;
    unsigned kept = 0;
    for (unsigned b = 0; b < objects.bulk_count; b++) {
      const Objects::Bulk bulk = objects.bulk[b];
      if (bulk.object != i) objects.bulk[kept++] = bulk;
      else for (unsigned at = 0; at < bulk.bytes; at += 16) __builtin_memcpy(bulk.to + at, bulk.from + at, 16);
    }
    objects.bulk_count = kept;
    end_phase(now, object);
    return true;
  }
  return false;
}

const char* missing(Block& now, unsigned linear) {
  char* text = now.text[now.text_turn++ % 4];
  text[0] = 0;
  for (unsigned i = 0; i < now.objects->count; i++) {
    const Object& object = now.objects->of[i];
    if (!(object.waiting[linear / 32] >> linear % 32 & 1)) continue;
    __builtin_snprintf(text, sizeof now.text[0], ", for %u more arrivals and %llu bytes of which %llu are on their way", object.pending,
                       static_cast<unsigned long long>(object.expected), static_cast<unsigned long long>(object.queued));
  }
  return text;
}
}
