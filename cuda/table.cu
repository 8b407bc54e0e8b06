// Fills the op table of the CUDA backend and exports it: the library's single symbol.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>

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
  context->call++;
  if (*context->stop) return TW_STOPPED;
  cudaSetDevice(context->device);
  try {
    return Op(context, full);
  } catch (const std::bad_alloc&) {
    return fail(context, TW_MEMORY, "out of memory");
  } catch (const std::exception& e) {
    return fail(context, TW_INTERNAL, "%s", e.what());
  }
}

constexpr int kLeastMajor = 8;   // mma.sync of bf16 and cp.async begin with sm_80

// The code of this library that such a chip runs: cuda.cmake lists what is built.
const char* code_of(const cudaDeviceProp& p) {
  switch (p.major) {
    case 8: return "sm_80";
    case 9: return p.minor == 0 ? "sm_90a" : "PTX";
    case 10: return "sm_100";
    case 12: return "sm_120";
    default: return "PTX";
  }
}

// Why there is no device, or why one does not open, with what most likely mends it.
void explain(cudaError_t error, char* why, uint32_t why_bytes) {
  int driver = 0, runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  const char* cause = "";
  switch (error) {
    case cudaErrorInsufficientDriver:
      cause = driver == 0 ? "no NVIDIA driver is loaded here (or the container was started without access to the GPU)"
                          : "the NVIDIA driver is too old: version 580 or newer is needed";
      break;
    case cudaErrorNoDevice: cause = "a driver is here but it shows no GPU: look at CUDA_VISIBLE_DEVICES, MIG and the container's settings"; break;
    case cudaErrorSystemNotReady: cause = "the system is not ready: is the fabric manager running?"; break;
    case cudaErrorSystemDriverMismatch: cause = "the driver's library and its kernel module differ: a reboot is due after the update"; break;
    case cudaErrorCompatNotSupportedOnDevice: cause = "the forward-compatibility package serves data-centre GPUs alone"; break;
    case cudaErrorMemoryAllocation: cause = "the device has no memory left: other processes hold it"; break;
    case cudaErrorDevicesUnavailable: cause = "all GPUs are busy or in exclusive use"; break;
    default: cause = "after a suspend or a driver update, reloading nvidia_uvm or a reboot may help"; break;
  }
  char supports[64] = "";
  if (driver) std::snprintf(supports, sizeof supports, "the driver supports CUDA %d.%d, ", driver / 1000, driver % 1000 / 10);
  std::snprintf(why, why_bytes, "%s (%s, %d; %sthis library is built with %d.%d)", cause, cudaGetErrorName(error), static_cast<int>(error),
                supports, runtime / 1000, runtime % 1000 / 10);
}

uint32_t devices(tw_device* out, uint32_t room, char* why, uint32_t why_bytes) {
  if (why_bytes) why[0] = '\0';
  int count = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&count)) {
    explain(error, why, why_bytes);
    cudaGetLastError();
    return 0;
  }
  uint32_t usable = 0;
  for (int i = 0; i < count; i++) {
    cudaDeviceProp properties{};
    if (const cudaError_t error = cudaGetDeviceProperties(&properties, i)) {
      explain(error, why, why_bytes);
      break;
    }
    if (properties.major < kLeastMajor) {
      std::snprintf(why, why_bytes, "%s has compute capability %d.%d: 8.0 or newer is needed", properties.name, properties.major, properties.minor);
      break;   // devices are named by their index, so none after it is listed either: CUDA_VISIBLE_DEVICES can hide it
    }
    if (usable < room) {
      tw_device& device = out[usable];
      device = {};
      std::snprintf(device.name, sizeof device.name, "%.127s", properties.name);
      std::snprintf(device.code, sizeof device.code, "%s", code_of(properties));
      std::snprintf(device.bits, sizeof device.bits, "%s sm_%d%d", kPlatform, properties.major, properties.minor);
      device.memory_bytes = properties.totalGlobalMem;
    }
    usable++;
  }
  return usable;
}

const volatile int32_t kNeverStop = 0;

tw_status open(uint32_t device, uint64_t limit_bytes, const volatile int32_t* stop, tw_context** out, char* why, uint32_t why_bytes) {
  *out = nullptr;
  if (why_bytes) why[0] = '\0';
  tw_context* context = new (std::nothrow) tw_context;
  if (!context) return TW_MEMORY;
  context->stop = stop ? stop : &kNeverStop;
  const cudaError_t error = context->begin(device, limit_bytes);
  if (error == cudaSuccess) {
    *out = context;
    return TW_OK;
  }
  delete context;
  cudaGetLastError();
  explain(error, why, why_bytes);
  return error == cudaErrorMemoryAllocation ? TW_MEMORY : TW_DEVICE_MISSING;
}

void close(tw_context* context) { delete context; }
const char* last_error(tw_context* context) { return context->error; }
tw_status alloc(tw_context* context, uint64_t bytes, void** out) { return context->alloc(bytes, out); }
void free(tw_context* context, void* data, uint64_t bytes) { context->free(data, bytes); }
tw_status copy(tw_context* context, void* to, const void* from, uint64_t bytes, uint32_t direction) {
  return context->copy(to, from, bytes, direction);
}
tw_status wait(tw_context* context, uint64_t* late_call) { return context->wait(late_call); }
void memory(tw_context* context, tw_memory* out) { context->memory(out); }
uint64_t screen_bytes_of(tw_context*, uint32_t screen, uint64_t rows, uint64_t columns) { return screen_bytes(screen, rows, columns); }

tw_op_table filled() {
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
  table.screen_bytes = screen_bytes_of;
#define TW_OP(stem) table.stem = entry<tw_##stem##_args, stem>;
  TW_CUDA_OPS(TW_OP)
#undef TW_OP
  return table;
}

}   // namespace
}   // namespace transweld

extern "C" __attribute__((visibility("default"))) const tw_op_table* transweld_table(uint32_t abi) {
  if (abi != TW_ABI) return nullptr;
  static const tw_op_table table = transweld::filled();
  return &table;
}
