// cp.async: copies of one lane into shared memory that land at its wait and not before.
#include "copies.h"
#include <sys/mman.h>
#include <cstdlib>
#include <cstring>
#include "block.h"

namespace cuda_on_host {
namespace {
constexpr unsigned kMostCopies = 512;   // of a lane at one time
}

struct Copies {
  struct Copy {
    char* to;
    const char* from;
    unsigned bytes, valid, group;
  } of[kMostThreads][kMostCopies];      // touched where used
};

Copies* make_copies() {
  void* p = mmap(nullptr, sizeof(Copies), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) std::abort();
  return static_cast<Copies*>(p);
}
void destroy(Copies* copies) { munmap(copies, sizeof(Copies)); }

void defer(void* to_shared, const void* from_global, unsigned bytes, unsigned valid, place where) {
  Thread& me = *self;
  me.where = where;
  if ((bytes != 4 && bytes != 8 && bytes != 16) || valid > bytes) fail("an asynchronous copy of %u of %u bytes: %s", valid, bytes, words(me));
  if (reinterpret_cast<uintptr_t>(to_shared) % bytes || reinterpret_cast<uintptr_t>(from_global) % bytes) {
    fail("an asynchronous copy of %u bytes that is not aligned to them: %s", bytes, words(me));
  }
  if (me.copies_issued - me.copies_done == kMostCopies) fail("more than %u copies of a lane are under way: %s", kMostCopies, words(me));
  char* to = static_cast<char*>(to_shared);
  writes(to, bytes, CUDA_ON_HOST_CALLER);   // it may land at any time from here on
  for (unsigned i = 0; i < bytes; i += 4) __builtin_memset(to + i, 0xff, 4);
  Copies::Copy& copy = block->copies->of[me.linear][me.copies_issued++ % kMostCopies];
  copy = {to, static_cast<const char*>(from_global), bytes, valid, me.copies_group};
}

void commit_copies() { self->copies_group++; }

void wait_copies(unsigned groups_left, place where) {
  Thread& me = *self;
  me.where = where;
  for (; me.copies_done != me.copies_issued; me.copies_done++) {
    const Copies::Copy& copy = block->copies->of[me.linear][me.copies_done % kMostCopies];
    if (copy.group + groups_left >= me.copies_group) return;
    reads(copy.from, copy.valid, CUDA_ON_HOST_CALLER);
    writes(copy.to, copy.bytes, CUDA_ON_HOST_CALLER);
    // By bytes and by hand: the race detector would take a call of memcpy for another access.
    for (unsigned i = 0; i < copy.valid; i++) static_cast<volatile char*>(copy.to)[i] = copy.from[i];
    for (unsigned i = copy.valid; i < copy.bytes; i++) static_cast<volatile char*>(copy.to)[i] = 0;
  }
}
}
