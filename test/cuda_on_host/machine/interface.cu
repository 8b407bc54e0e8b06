// The runtime interface and the arithmetic: known answers, accounts of memory, failures that stay, contexts side by side.
#include <thread>
#include "check.h"
#include "checks.h"

namespace {
__global__ void count_kernel(unsigned* out, unsigned rounds) {
  SHARED(unsigned, part, [64]);
  for (unsigned i = 0; i < rounds; i++) {
    part[threadIdx.x] = i;
    __syncthreads();
    if (threadIdx.x == 0) atomicAdd(out, part[63] + 1 - i);
    __syncthreads();
  }
}
__global__ void nothing_kernel() {}
__global__ void never_kernel() {
  if (threadIdx.x == 0) __syncwarp();
  __syncthreads();
}
__global__ void large_kernel(float* out) {
  DYNAMIC_SHARED(float, all);
  SHARED(float, more, [4096]);
  more[threadIdx.x] = all[threadIdx.x];
  out[threadIdx.x] = more[threadIdx.x];
}

Words equal(const char* what, unsigned long long got, unsigned long long want) {
  return got == want ? Words() : Words(what) + " is " + std::to_string(got) + ", not " + std::to_string(want);
}
}

Words arithmetic(int) {
  const struct { const char* what; unsigned long long got, want; } answers[] = {
    {"__popc", static_cast<unsigned>(__popc(0xf0f0)), 8},
    {"__clz(0)", static_cast<unsigned>(__clz(0)), 32},
    {"__clz(1 << 20)", static_cast<unsigned>(__clz(1 << 20)), 11},
    {"__ffs(0)", static_cast<unsigned>(__ffs(0)), 0},
    {"__ffs(0x50)", static_cast<unsigned>(__ffs(0x50)), 5},
    {"__brev", __brev(0x00000013), 0xc8000000},
    {"__byte_perm", __byte_perm(0x33221100, 0x77665544, 0x7240), 0x77224400},
    {"__byte_perm with signs", __byte_perm(0x000080ff, 0, 0x9a80), 0xff00ffff},
    {"__funnelshift_l", __funnelshift_l(0x89abcdef, 0x01234567, 8), 0x23456789},
    {"__funnelshift_r", __funnelshift_r(0x89abcdef, 0x01234567, 8), 0x6789abcd},
    {"__umulhi", __umulhi(0xffffffff, 0xffffffff), 0xfffffffe},
    {"__umul64hi", __umul64hi(~0ull, ~0ull), ~1ull},
    {"__dp4a", static_cast<unsigned>(__dp4a(0x01ff02fe, 0x03030303, 10)), 10},
    {"__dp4a unsigned", __dp4a(0x01ff02feu, 0x03030303u, 10u), 10 + 3 * (1 + 255 + 2 + 254)},
    {"__float2int_rn(2.5)", static_cast<unsigned>(__float2int_rn(2.5f)), 2},
    {"__float2int_rn(1e10)", static_cast<unsigned>(__float2int_rn(1e10f)), 0x7fffffff},
    {"__fmaf_rn", __float_as_uint(__fmaf_rn(1 + 0x1p-12f, 1 + 0x1p-12f, -1.f)), __float_as_uint(0x1p-11f + 0x1p-24f)},
  };
  for (const auto& a : answers) {
    if (a.got != a.want) return equal(a.what, a.got, a.want);
  }
  return {};
}

Words memory(int device) {
  cudaMemPool_t pool;
  const cudaMemPoolProps properties{cudaMemAllocationTypePinned, cudaMemHandleTypeNone, {cudaMemLocationTypeDevice, device}, 0};
  if (Words w = refused(cudaMemPoolCreate(&pool, &properties)); !w.empty()) return w;
  const auto number = [&](cudaMemPoolAttr attribute) {
    uint64_t value = 0;
    cudaMemPoolGetAttribute(pool, attribute, &value);
    return value;
  };
  size_t before = 0, after = 0, total = 0;
  cudaMemGetInfo(&before, &total);
  void* data = nullptr;
  if (Words w = refused(cudaMallocFromPoolAsync(&data, 1000, pool, nullptr)); !w.empty()) return w;
  for (int i = 0; i < 1000; i++) {
    if (static_cast<unsigned char*>(data)[i] != 0xff) return "fresh memory is not NaN bytes";
  }
  if (reinterpret_cast<uintptr_t>(data) % 256) return "memory is not aligned to 256 bytes";
  cudaMemGetInfo(&after, &total);
  Words w = equal("what is held", before - after, 1000) + equal("used", number(cudaMemPoolAttrUsedMemCurrent), 1000);
  cudaFreeAsync(data, nullptr);
  w += equal("used after free", number(cudaMemPoolAttrUsedMemCurrent), 0);
  w += equal("reserved after free", number(cudaMemPoolAttrReservedMemCurrent), 1000);
  cudaMemPoolTrimTo(pool, 0);
  w += equal("reserved after trimming", number(cudaMemPoolAttrReservedMemCurrent), 0);
  cudaMemPoolDestroy(pool);
  w += equal("memory for 1 EiB", cudaMalloc(&data, size_t{1} << 60), cudaErrorMemoryAllocation);
  w += equal("a second free", cudaFree(reinterpret_cast<void*>(4096)), cudaErrorInvalidValue);
  cudaGetLastError();
  return w;
}

Words limits(int) {
  Numbers<float> out(32);
  Words w = equal("1025 threads", transweld::launch(nothing_kernel, 1, 1025, 0, nullptr), cudaErrorInvalidConfiguration);
  w += equal("no thread", transweld::launch(nothing_kernel, 1, 0, 0, nullptr), cudaErrorInvalidConfiguration);
  w += equal("no block", transweld::launch(nothing_kernel, 0, 32, 0, nullptr), cudaErrorInvalidConfiguration);
  w += equal("65536 rows of blocks", transweld::launch(nothing_kernel, dim3(1, 65536), 32, 0, nullptr), cudaErrorInvalidConfiguration);
  w += equal("228 KiB", transweld::launch(nothing_kernel, 1, 32, 228 << 10, nullptr), cudaErrorInvalidValue);
  w += equal("the last error", cudaGetLastError(), cudaErrorInvalidValue);
  w += equal("the error after that", cudaGetLastError(), cudaSuccess);
  w += equal("211 KiB beside 16", transweld::launch(large_kernel, 1, 32, 211 << 10, nullptr, out.data), cudaSuccess);
  w += equal("212 KiB beside 16", transweld::launch(large_kernel, 1, 32, 212 << 10, nullptr, out.data), cudaErrorLaunchFailure);
  cudaDeviceReset();
  return w;
}

Words failure(int device) {
  Words w = equal("a deadlock", transweld::launch(never_kernel, 1, 32, 0, nullptr), cudaErrorLaunchFailure);
  if (Words(cudaGetErrorString(cudaErrorLaunchFailure)).find("interface.cu:") == Words::npos) w += "the report names no line";
  w += equal("a launch after it", transweld::launch(nothing_kernel, 1, 32, 0, nullptr), cudaErrorLaunchFailure);
  w += equal("a wait after it", cudaStreamSynchronize(nullptr), cudaErrorLaunchFailure);
  cudaSetDevice((device + 1) % 3);
  w += equal("another device", transweld::launch(nothing_kernel, 1, 32, 0, nullptr), cudaSuccess);
  cudaSetDevice(device);
  cudaDeviceReset();
  return w + equal("after a reset", transweld::launch(nothing_kernel, 1, 32, 0, nullptr), cudaSuccess);
}

// The current device and everything that runs belong to a system thread.
Words contexts(int) {
  unsigned totals[3] = {};
  const auto work = [&](int device) {
    cudaSetDevice(device);
    Numbers<unsigned> out(1);
    out[0] = 0;
    for (int i = 0; i < 20; i++) transweld::launch(count_kernel, 3, 64, 0, nullptr, out.data, 10);
    totals[device] = out[0];
  };
  std::thread one(work, 0), two(work, 1), three(work, 2);
  one.join();
  two.join();
  three.join();
  return equal("a count", totals[0], 600) + equal("a count", totals[1], 600) + equal("a count", totals[2], 600);
}
