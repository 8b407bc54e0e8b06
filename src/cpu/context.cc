// The CPU context: memory with a free list, scratch, words about the last failure.
#include "opened.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>

#include "pool.h"

namespace transweld {
namespace {

constexpr uint64_t kHuge = 2u << 20;   // from here on, memory is mapped on its own and asks for huge pages

// Sizes are rounded so that a freed block fits the next request of about its size: to 64 bytes below a page, to an
// eighth of the power of two below it above that.
uint64_t rounded(uint64_t bytes) {
  if (bytes <= 64) return 64;
  if (bytes < 4096) return (bytes + 63) & ~63ull;
  const uint64_t step = std::max<uint64_t>(4096, (1ull << (63 - __builtin_clzll(bytes))) / 8);
  return (bytes + step - 1) / step * step;
}

// A page fault costs more here than the arithmetic on the page: large blocks are huge pages where the system has them.
void* take(uint64_t bytes) {
  if (bytes < kHuge) return std::aligned_alloc(64, bytes);
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return nullptr;
#if defined(MADV_HUGEPAGE)
  madvise(p, bytes, MADV_HUGEPAGE);
#endif
  return p;
}

void give(void* p, uint64_t bytes) {
  if (bytes < kHuge) std::free(p); else munmap(p, bytes);
}

}   // namespace

void Opened::drop_cache() {
  for (auto& [bytes, p] : cache) give(p, bytes);
  cache.clear();
  held.cached_bytes = scratch_bytes;
}

tw_status Opened::alloc(uint64_t bytes, void** out) {
  *out = nullptr;
  if (bytes > UINT64_MAX / 2) return TW_MEMORY;
  const uint64_t size = rounded(bytes);
  std::lock_guard lock(mutex);
  if (auto kept = cache.find(size); kept != cache.end()) {
    *out = kept->second;
    cache.erase(kept);
    held.cached_bytes -= size;
  } else {
    const auto over = [&] { return held.limit_bytes && held.used_bytes + held.cached_bytes + size > held.limit_bytes; };
    if (over()) drop_cache();
    if (over()) return TW_MEMORY;
    *out = take(size);
    if (!*out) { drop_cache(); *out = take(size); }
    if (!*out) return TW_MEMORY;
  }
  held.used_bytes += size;
  held.peak_bytes = std::max(held.peak_bytes, held.used_bytes + held.cached_bytes);
  return TW_OK;
}

void Opened::free(void* p, uint64_t bytes) {
  if (!p) return;
  const uint64_t size = rounded(bytes);
  std::lock_guard lock(mutex);
  cache.emplace(size, p);
  held.used_bytes -= size;
  held.cached_bytes += size;
}

void* Opened::scratch(uint64_t bytes) {
  if (bytes <= scratch_bytes) return scratch_block;
  const uint64_t size = rounded(bytes);
  std::lock_guard lock(mutex);
  if (scratch_block) give(scratch_block, scratch_bytes);
  held.cached_bytes -= scratch_bytes;
  scratch_block = nullptr;
  scratch_bytes = 0;
  if (held.limit_bytes && held.used_bytes + held.cached_bytes + size > held.limit_bytes) drop_cache();
  if (held.limit_bytes && held.used_bytes + held.cached_bytes + size > held.limit_bytes) return nullptr;
  scratch_block = take(size);
  if (!scratch_block) return nullptr;
  scratch_bytes = size;
  held.cached_bytes += size;
  held.peak_bytes = std::max(held.peak_bytes, held.used_bytes + held.cached_bytes);
  return scratch_block;
}

Opened::~Opened() {
  drop_cache();
  if (scratch_block) give(scratch_block, scratch_bytes);
}

void* scratch(tw_context* c, size_t bytes) { return c->scratch(bytes); }
unsigned threads(const tw_context* c) { return c->threads; }

void parallel(tw_context* c, size_t items, void (*body)(void*, size_t, unsigned), void* closure) {
  run_region(c->threads, c->stop, items, body, closure);
}

tw_status fail(tw_context* c, tw_status status, const char* format, ...) {
  va_list list;
  va_start(list, format);
  std::vsnprintf(c->error, sizeof c->error, format, list);
  va_end(list);
  return status;
}

}   // namespace transweld
