// A block's shared memory: one arena, a slot for each __shared__ declaration in the order in which the block comes to them.
// Every slot starts as 0xFF bytes (NaN as floats): what is read before it was written shows. Only what is used is filled.
#include <sys/mman.h>
#include <cstdlib>
#include <cstring>
#include "block.h"
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace cuda_on_host {
namespace {
constexpr size_t kArenaBytes = 512 << 10;   // 227 KiB, the gaps, and the block's tokens at the end
constexpr unsigned kMostSlots = 64;
#ifdef __SANITIZE_ADDRESS__
constexpr size_t kGap = 64;                 // poisoned, after each array
#else
constexpr size_t kGap = 0;
#endif

char* map_arena() {
  void* p = mmap(nullptr, kArenaBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) std::abort();
  return static_cast<char*>(p);
}
const char kDynamic = 0;
}

struct SharedMemory {
  char* arena;
  size_t used, asked, dynamic_bytes;
  unsigned slot_count;
  struct Slot { const void* key; char* at; } slots[kMostSlots];
};

SharedMemory* make_shared_memory() { return new SharedMemory{map_arena(), 0, 0, 0, 0, {}}; }
void destroy(SharedMemory* memory) {
#ifdef __SANITIZE_ADDRESS__
  ASAN_UNPOISON_MEMORY_REGION(memory->arena, kArenaBytes);
#endif
  munmap(memory->arena, kArenaBytes);
  delete memory;
}

Tokens* clear(SharedMemory* memory, size_t dynamic_bytes) {
  if (kRaces) {   // fresh memory has no history
    munmap(memory->arena, kArenaBytes);
    memory->arena = map_arena();
  }
#ifdef __SANITIZE_ADDRESS__
  ASAN_POISON_MEMORY_REGION(memory->arena, kArenaBytes);
#endif
  memory->used = memory->slot_count = 0;
  memory->asked = memory->dynamic_bytes = dynamic_bytes;
  return reinterpret_cast<Tokens*>(memory->arena + kArenaBytes - sizeof(Tokens));
}

void* shared(const void* key, size_t bytes, size_t align) {
  SharedMemory& memory = *block->memory;
  for (unsigned i = 0; i < memory.slot_count; i++) {
    if (memory.slots[i].key == key) return memory.slots[i].at;
  }
  if (key != &kDynamic) memory.asked += bytes;
  if (memory.slot_count == kMostSlots || memory.asked > kMostSharedBytes) {
    fail("a block asks for %zu bytes of shared memory in %u arrays; it may have %zu", memory.asked, memory.slot_count + 1, kMostSharedBytes);
  }
  const size_t at = (memory.used + align - 1) / align * align;
  char* p = memory.arena + at;
  memory.used = at + (bytes + 15) / 16 * 16 + kGap;
#ifdef __SANITIZE_ADDRESS__
  ASAN_UNPOISON_MEMORY_REGION(p, bytes);
#endif
  if (kRaces) {   // not memset, which the race detector would take for an access of the kernel
    for (size_t i = 0; i < (bytes + 7) / 8; i++) reinterpret_cast<volatile uint64_t*>(p)[i] = ~0ull;
  } else {
    std::memset(p, 0xff, bytes);
  }
  memory.slots[memory.slot_count++] = {key, p};
  return p;
}

void* dynamic_shared(size_t align) { return shared(&kDynamic, block->memory->dynamic_bytes, align); }
}
