// What Hopper (sm_90a) adds: one thread copies a whole tile, a barrier object tells when it has landed, and a warpgroup (four
// warps) multiplies tiles as they lie in shared memory.
//
//   Barrier          a word of shared memory. A phase ends when all arrivals have come and all expected bytes have landed.
//       init(n)      by one thread, n arrivals a phase; then barriers_ready() by it, then a barrier of the block
//       expect(m)    one arrival, and m bytes to wait for           arrive()   one arrival
//       wait(p)      for the end of the phase of parity p: phases count 0, 1, 0, ... from 0
//   bulk_load(to, from, bytes, barrier)    multiples of 16 bytes; lands in the barrier's phase
//   wgmma_bf16(d, a, b, accumulate)        D[64][128] f32 (+)= A[64][16] · B[128][16]ᵀ   bf16
//   wgmma_i8(d, a, b, accumulate)          D[64][128] i32 (+)= A[64][32] · B[128][32]ᵀ   i8
//       a, b    32 bytes of columns of rows 128 bytes apart in the 128-byte swizzle: the tiles of shadow.h
//       d       warp w of the group has rows 16w ...; [n][r] is row g + 8·(r / 2), column 8n + 2t + r % 2: mma_bf16's places
//   registers_down<n>(), registers_up<n>()   by whole warpgroups: n registers a thread from here on
//   wgmma_fence()  before the first product of a group, wgmma_commit() closes it, wgmma_wait<left>() leaves that many under way
//   sums_ready(d)  after the wait: nothing of d is read before, which the compiler cannot know by itself
#pragma once
#include "mma.h"
#include "shadow.h"

namespace transweld {

// Whether this pass of the compiler builds the code of sm_90a, or of the emulation.
#if defined(__CUDA_ARCH_FEAT_SM90_ALL) || defined(TRANSWELD_CUDA_ON_HOST)
constexpr bool kHopper = true;
#else
constexpr bool kHopper = false;
#endif

#ifdef TRANSWELD_CUDA_ON_HOST

struct Barrier {
  uint64_t word;
  using place = cuda_on_host::place;
  void init(unsigned arrivals, place at = place::current()) { cuda_on_host::barrier_init(&word, arrivals, at); }
  void arrive(place at = place::current()) { cuda_on_host::barrier_arrive(&word, at); }
  void expect(unsigned bytes, place at = place::current()) { cuda_on_host::barrier_expect(&word, bytes, at); }
  void wait(unsigned parity, place at = place::current()) { cuda_on_host::barrier_wait(&word, parity, at); }
};
inline void barriers_ready() {}
template <unsigned Count> void registers_down() {}
template <unsigned Count> void registers_up() {}
inline void bulk_load(void* to_shared, const void* from, unsigned bytes, Barrier& barrier,
                      cuda_on_host::place at = cuda_on_host::place::current()) {
  cuda_on_host::bulk_copy(to_shared, from, bytes, &barrier.word, at);
}

namespace emulated {
struct Tiles { const unsigned char *a, *b; bool accumulate; };

// Byte i of the 32 that p begins with, in row r: the swizzle is a function of the address, tiles being aligned to 1024 bytes.
CUDA_ON_HOST_SILENT inline const unsigned char* swizzled(const unsigned char* p, unsigned r, unsigned i) {
  const uintptr_t linear = reinterpret_cast<uintptr_t>(p) + r * kShadowPitch + i;
  return reinterpret_cast<const unsigned char*>(linear ^ (linear >> 7 & 7) << 4);
}

template <class D, class T>
CUDA_ON_HOST_SILENT void multiply_tiles(const Tiles* const* in, float* const* d, unsigned) {
  constexpr unsigned kDepth = 32 / sizeof(T);
  float A[64][kDepth];   // 8 KB at most: a fiber's stack has 64
  for (unsigned m = 0; m < 64; m++) {
    for (unsigned k = 0; k < kDepth; k++) A[m][k] = widen(*reinterpret_cast<const T*>(swizzled(in[0]->a, m, k * sizeof(T))));
  }
  for (unsigned n = 0; n < 128; n++) {
    float B[kDepth];
    for (unsigned k = 0; k < kDepth; k++) B[k] = widen(*reinterpret_cast<const T*>(swizzled(in[0]->b, n, k * sizeof(T))));
    for (unsigned m = 0; m < 64; m++) {
      float* const place = d[m / 16 * 32 + m % 8 * 4 + n % 8 / 2] + n / 8 * 4 + m % 16 / 8 * 2 + n % 2;
      D sum = 0;
      if (in[0]->accumulate) __builtin_memcpy(&sum, place, sizeof sum);
      for (unsigned k = 0; k < kDepth; k++) sum += static_cast<D>(A[m][k] * B[k]);   // products are exact: 16 bits at most
      __builtin_memcpy(place, &sum, sizeof sum);
    }
  }
}
}   // namespace emulated

inline void wgmma_bf16(float (&d)[16][4], const unsigned char* a, const unsigned char* b, bool accumulate,
                       cuda_on_host::place at = cuda_on_host::place::current()) {
  cuda_on_host::wgmma(&d[0][0], 64, emulated::Tiles{a, b, accumulate}, [](const emulated::Tiles* const* in, float* const* out, unsigned lanes)
                      CUDA_ON_HOST_SILENT { emulated::multiply_tiles<float, bf16>(in, out, lanes); }, at);
}
inline void wgmma_i8(int (&d)[16][4], const unsigned char* a, const unsigned char* b, bool accumulate,
                     cuda_on_host::place at = cuda_on_host::place::current()) {
  cuda_on_host::wgmma(reinterpret_cast<float*>(&d[0][0]), 64, emulated::Tiles{a, b, accumulate},
                      [](const emulated::Tiles* const* in, float* const* out, unsigned lanes)
                      CUDA_ON_HOST_SILENT { emulated::multiply_tiles<int, signed char>(in, out, lanes); }, at);
}
inline void wgmma_fence(cuda_on_host::place at = cuda_on_host::place::current()) { cuda_on_host::wgmma_fence(at); }
inline void wgmma_commit(cuda_on_host::place at = cuda_on_host::place::current()) { cuda_on_host::wgmma_commit(at); }
template <unsigned Left> void wgmma_wait(cuda_on_host::place at = cuda_on_host::place::current()) { cuda_on_host::wgmma_wait<Left>(at); }
template <class D> void sums_ready(D (&)[16][4]) {}

#else

__device__ inline unsigned shared_address(const void* p) { return static_cast<unsigned>(__cvta_generic_to_shared(p)); }

struct Barrier {
  uint64_t word;
  __device__ void init(unsigned arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(&word)), "r"(arrivals) : "memory");
  }
  __device__ void arrive() { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(&word)) : "memory"); }
  __device__ void expect(unsigned bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(&word)), "r"(bytes) : "memory");
  }
  __device__ void wait(unsigned parity) {   // try_wait sleeps for a while by itself
    asm volatile("{.reg .pred done;\nWAIT_%=: mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n@!done bra WAIT_%=;}"
                 ::"r"(shared_address(&word)), "r"(parity) : "memory");
  }
};

// Makes fresh barriers known to the copy engine.
__device__ inline void barriers_ready() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }

template <unsigned Count> __device__ inline void registers_down() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Count)); }
template <unsigned Count> __device__ inline void registers_up() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Count)); }

__device__ inline void bulk_load(void* to_shared, const void* from, unsigned bytes, Barrier& barrier) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];"
               ::"r"(shared_address(to_shared)), "l"(from), "r"(bytes), "r"(shared_address(&barrier.word)) : "memory");
}

__device__ inline void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ inline void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <unsigned Left> __device__ inline void wgmma_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Left) : "memory"); }

__device__ inline void sums_ready(float (&d)[16][4]) {
#pragma unroll
  for (int i = 0; i < 64; i++) asm volatile("" : "+f"(d[i / 4][i % 4])::"memory");
}
__device__ inline void sums_ready(int (&d)[16][4]) {
#pragma unroll
  for (int i = 0; i < 64; i++) asm volatile("" : "+r"(d[i / 4][i % 4])::"memory");
}

// Matrix descriptor: address in units of 16 bytes; 1024 bytes from eight rows to the next eight; the 128-byte swizzle.
__device__ inline uint64_t describe(const void* p) {
  return (shared_address(p) >> 4 & 0x3fff) | uint64_t{1} << 16 | uint64_t{1024 >> 4} << 32 | uint64_t{1} << 62;
}

__device__ inline void wgmma_bf16(float (&d)[16][4], const unsigned char* a, const unsigned char* b, bool accumulate) {
  asm volatile("{.reg .pred p; setp.ne.b32 p, %66, 0; wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 "
               "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,"
               "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,"
               "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,"
               "%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63}, "
               "%64, %65, p, 1, 1, 0, 0;}"
               : "+f"(d[0][0]), "+f"(d[0][1]), "+f"(d[0][2]), "+f"(d[0][3]), "+f"(d[1][0]), "+f"(d[1][1]), "+f"(d[1][2]), "+f"(d[1][3]),
                 "+f"(d[2][0]), "+f"(d[2][1]), "+f"(d[2][2]), "+f"(d[2][3]), "+f"(d[3][0]), "+f"(d[3][1]), "+f"(d[3][2]), "+f"(d[3][3]),
                 "+f"(d[4][0]), "+f"(d[4][1]), "+f"(d[4][2]), "+f"(d[4][3]), "+f"(d[5][0]), "+f"(d[5][1]), "+f"(d[5][2]), "+f"(d[5][3]),
                 "+f"(d[6][0]), "+f"(d[6][1]), "+f"(d[6][2]), "+f"(d[6][3]), "+f"(d[7][0]), "+f"(d[7][1]), "+f"(d[7][2]), "+f"(d[7][3]),
                 "+f"(d[8][0]), "+f"(d[8][1]), "+f"(d[8][2]), "+f"(d[8][3]), "+f"(d[9][0]), "+f"(d[9][1]), "+f"(d[9][2]), "+f"(d[9][3]),
                 "+f"(d[10][0]), "+f"(d[10][1]), "+f"(d[10][2]), "+f"(d[10][3]), "+f"(d[11][0]), "+f"(d[11][1]), "+f"(d[11][2]), "+f"(d[11][3]),
                 "+f"(d[12][0]), "+f"(d[12][1]), "+f"(d[12][2]), "+f"(d[12][3]), "+f"(d[13][0]), "+f"(d[13][1]), "+f"(d[13][2]), "+f"(d[13][3]),
                 "+f"(d[14][0]), "+f"(d[14][1]), "+f"(d[14][2]), "+f"(d[14][3]), "+f"(d[15][0]), "+f"(d[15][1]), "+f"(d[15][2]), "+f"(d[15][3])
               : "l"(describe(a)), "l"(describe(b)), "r"(static_cast<int>(accumulate)));
}

__device__ inline void wgmma_i8(int (&d)[16][4], const unsigned char* a, const unsigned char* b, bool accumulate) {
  asm volatile("{.reg .pred p; setp.ne.b32 p, %66, 0; wgmma.mma_async.sync.aligned.m64n128k32.s32.s8.s8 "
               "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,"
               "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,"
               "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,"
               "%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63}, "
               "%64, %65, p;}"
               : "+r"(d[0][0]), "+r"(d[0][1]), "+r"(d[0][2]), "+r"(d[0][3]), "+r"(d[1][0]), "+r"(d[1][1]), "+r"(d[1][2]), "+r"(d[1][3]),
                 "+r"(d[2][0]), "+r"(d[2][1]), "+r"(d[2][2]), "+r"(d[2][3]), "+r"(d[3][0]), "+r"(d[3][1]), "+r"(d[3][2]), "+r"(d[3][3]),
                 "+r"(d[4][0]), "+r"(d[4][1]), "+r"(d[4][2]), "+r"(d[4][3]), "+r"(d[5][0]), "+r"(d[5][1]), "+r"(d[5][2]), "+r"(d[5][3]),
                 "+r"(d[6][0]), "+r"(d[6][1]), "+r"(d[6][2]), "+r"(d[6][3]), "+r"(d[7][0]), "+r"(d[7][1]), "+r"(d[7][2]), "+r"(d[7][3]),
                 "+r"(d[8][0]), "+r"(d[8][1]), "+r"(d[8][2]), "+r"(d[8][3]), "+r"(d[9][0]), "+r"(d[9][1]), "+r"(d[9][2]), "+r"(d[9][3]),
                 "+r"(d[10][0]), "+r"(d[10][1]), "+r"(d[10][2]), "+r"(d[10][3]), "+r"(d[11][0]), "+r"(d[11][1]), "+r"(d[11][2]), "+r"(d[11][3]),
                 "+r"(d[12][0]), "+r"(d[12][1]), "+r"(d[12][2]), "+r"(d[12][3]), "+r"(d[13][0]), "+r"(d[13][1]), "+r"(d[13][2]), "+r"(d[13][3]),
                 "+r"(d[14][0]), "+r"(d[14][1]), "+r"(d[14][2]), "+r"(d[14][3]), "+r"(d[15][0]), "+r"(d[15][1]), "+r"(d[15][2]), "+r"(d[15][3])
               : "l"(describe(a)), "l"(describe(b)), "r"(static_cast<int>(accumulate)));
}

#endif

}   // namespace transweld
