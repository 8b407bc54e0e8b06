// Fills the op table of the CPU backend: device entries here, ops from the chosen instruction set.
#include "table.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <unistd.h>

#include "isa.h"
#include "opened.h"
#include "ops.h"

namespace transweld {
namespace {

// What every op goes through. Args of an older caller are shorter: what it does not know reads as zero.
template <class Args, tw_status (*Op)(tw_context*, const Args&)> tw_status entry(tw_context* context, const void* args) {
  Args full{};
  uint32_t size;
  std::memcpy(&size, args, sizeof size);
  std::memcpy(&full, args, std::min<size_t>(size, sizeof full));
  context->error[0] = '\0';
  try {
    const tw_status status = Op(context, full);
    return status == TW_OK && *context->stop ? TW_STOPPED : status;
  } catch (const std::bad_alloc&) {
    return fail(context, TW_MEMORY, "out of memory");
  } catch (const std::exception& e) {
    return fail(context, TW_INTERNAL, "%s", e.what());
  }
}

uint32_t devices(tw_device* out, uint32_t room, char* why, uint32_t why_bytes) {
  if (why_bytes) why[0] = '\0';
  const IsaChoice& isa = isa_choice();
  if (!isa.name) { std::snprintf(why, why_bytes, "%s", isa.why); return 0; }
  if (!thread_choice(why, why_bytes)) return 0;
  std::snprintf(why, why_bytes, "%s", isa.why);
  if (room) {
    *out = {};
    std::snprintf(out->name, sizeof out->name, "cpu");
    std::snprintf(out->code, sizeof out->code, "%s", isa.name);
    std::snprintf(out->bits, sizeof out->bits, "%s", isa.bits);
    out->memory_bytes = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  }
  return 1;
}

const volatile int32_t kNeverStop = 0;

tw_status open(uint32_t device, uint64_t limit_bytes, const volatile int32_t* stop, tw_context** out, char* why, uint32_t why_bytes) {
  *out = nullptr;
  std::snprintf(why, why_bytes, "%s", isa_choice().why);
  if (device != 0 || !isa_choice().name) return TW_DEVICE_MISSING;
  const unsigned count = thread_choice(why, why_bytes);
  if (!count) return TW_DEVICE_MISSING;
  tw_context* context = new (std::nothrow) tw_context;
  if (!context) return TW_MEMORY;
  context->threads = count;
  context->stop = stop ? stop : &kNeverStop;
  context->held.limit_bytes = limit_bytes;
  *out = context;
  return TW_OK;
}

void close(tw_context* context) { delete context; }
const char* last_error(tw_context* context) { return context->error; }
tw_status alloc(tw_context* context, uint64_t bytes, void** out) { return context->alloc(bytes, out); }
void free(tw_context* context, void* data, uint64_t bytes) { context->free(data, bytes); }
tw_status copy(tw_context*, void* to, const void* from, uint64_t bytes, uint32_t) {
  if (bytes) std::memcpy(to, from, bytes);
  return TW_OK;
}
tw_status wait(tw_context*, uint64_t* late_call) {   // an op has finished when it returns
  *late_call = 0;
  return TW_OK;
}

void memory(tw_context* context, tw_memory* out) {
  std::lock_guard lock(context->mutex);
  *out = context->held;
}

// The entries that no instruction set changes.
tw_op_table bare() {
  tw_op_table table{};
  table.abi_version = TW_ABI;
  table.struct_size = sizeof table;
  table.devices = devices;
  table.open = open;
  table.close = close;
  table.last_error = last_error;
  table.alloc = alloc;
  table.free = free;
  table.copy = copy;
  table.wait = wait;
  table.memory = memory;
  return table;
}

#define TW_OP(stem) table.stem = entry<tw_##stem##_args, isa::stem>;
#define TW_TABLE(set) \
  tw_op_table table_##set() { \
    namespace isa = ::transweld::set; \
    tw_op_table table = bare(); \
    table.screen_bytes = [](tw_context*, uint32_t screen, uint64_t rows, uint64_t columns) { return isa::screen_bytes(screen, rows, columns); }; \
    TW_CPU_OPS(TW_OP) \
    return table; \
  }
TW_TABLE(baseline)
#if defined(__x86_64__)
TW_TABLE(avx2)
TW_TABLE(avxvnni)
TW_TABLE(avx512)
TW_TABLE(avx512vnni)
#endif

tw_op_table chosen() {
#if defined(__x86_64__)
  const char* name = isa_choice().name;
  const auto is = [name](const char* other) { return name && std::strcmp(name, other) == 0; };
  if (is("avx512vnni")) return table_avx512vnni();
  if (is("avx512")) return table_avx512();
  if (is("avxvnni")) return table_avxvnni();
  if (is("avx2")) return table_avx2();
#endif
  return table_baseline();
}

}   // namespace
}   // namespace transweld

extern "C" const tw_op_table* tw_cpu_table(uint32_t abi) {
  if (abi != TW_ABI) return nullptr;
  static const tw_op_table table = transweld::chosen();
  return &table;
}
