// The fragments of cuda/device/mma.h and the tiles of cuda/device/hopper.h against products in float64 and in integers.
#include <cmath>
#include "../../../cuda/device/hopper.h"
#include "check.h"
#include "checks.h"

namespace {
using transweld::bf16;

// One warp: D = A · B, A [16][16] and B [16][8] bf16, in the places that the header of mma.h gives.
__global__ void fragments_kernel(float* d, const bf16* a, const bf16* b) {
  const unsigned g = threadIdx.x / 4, t = threadIdx.x % 4;
  const auto pair = [](bf16 low, bf16 high) { return static_cast<unsigned>(low.bits) | static_cast<unsigned>(high.bits) << 16; };
  unsigned fa[4], fb[2];
  for (unsigned r = 0; r < 4; r++) {
    const bf16* p = a + (g + 8 * (r % 2)) * 16 + 2 * t + 8 * (r / 2);
    fa[r] = pair(p[0], p[1]);
  }
  for (unsigned r = 0; r < 2; r++) {
    const bf16* p = b + (2 * t + 8 * r) * 8 + g;
    fb[r] = pair(p[0], p[8]);
  }
  float sum[4] = {};
  transweld::mma_bf16(sum, fa, fb);
  for (unsigned r = 0; r < 4; r++) d[(g + 8 * (r / 2)) * 8 + 2 * t + r % 2] = sum[r];
}

// The same with i8, A [16][32] and B [8][32], A through load_fragments.
__global__ void bytes_kernel(int* d, const signed char* a, const signed char* b) {
  SHARED(signed char, rows, [16][32]);
  const unsigned lane = threadIdx.x, g = lane / 4, t = lane % 4;
  for (unsigned i = lane; i < 512; i += 32) rows[i / 32][i % 32] = a[i];
  __syncwarp();
  unsigned fa[4], fb[2];
  transweld::load_fragments(fa, &rows[lane % 16][lane / 16 * 16]);
  for (unsigned r = 0; r < 2; r++) __builtin_memcpy(&fb[r], b + g * 32 + 4 * t + 16 * r, 4);
  int sum[4] = {1, 1, 1, 1};
  transweld::mma_i8(sum, fa, fb);
  for (unsigned r = 0; r < 4; r++) d[(g + 8 * (r / 2)) * 8 + 2 * t + r % 2] = sum[r];
}

// One warpgroup: D [64][128] = A [64][64] · B [128][64]ᵀ in bf16, both in the 128-byte swizzle, four products in two groups.
__global__ void warpgroup_kernel(float* d, const bf16* a, const bf16* b) {
  DYNAMIC_SHARED(unsigned char, tiles);
  unsigned char *ta = tiles, *tb = tiles + 64 * 128;
  const auto swizzled = [](unsigned byte) { return byte ^ (byte >> 7 & 7) << 4; };
  for (unsigned i = threadIdx.x; i < 64 * 64; i += 128) *reinterpret_cast<bf16*>(ta + swizzled(i * 2)) = a[i];
  for (unsigned i = threadIdx.x; i < 128 * 64; i += 128) *reinterpret_cast<bf16*>(tb + swizzled(i * 2)) = b[i];
  __syncthreads();
  float sum[16][4];
  transweld::wgmma_fence();
  transweld::wgmma_bf16(sum, ta, tb, false);
  transweld::wgmma_bf16(sum, ta + 32, tb + 32, true);
  transweld::wgmma_commit();
  transweld::wgmma_bf16(sum, ta + 64, tb + 64, true);
  transweld::wgmma_bf16(sum, ta + 96, tb + 96, true);
  transweld::wgmma_commit();
  transweld::wgmma_wait<1>();
  transweld::wgmma_wait<0>();
  const unsigned warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
  for (unsigned n = 0; n < 16; n++) {
    for (unsigned r = 0; r < 4; r++) d[(warp * 16 + g + 8 * (r / 2)) * 128 + n * 8 + 2 * t + r % 2] = sum[n][r];
  }
}

bf16 random_bf16(unsigned i) { return transweld::narrow<bf16>(static_cast<float>(scrambled(i) % 2001) / 1000.f - 1.f); }

// The largest error of sums of `depth` products of numbers up to 1 in f32: a rounding each, of a sum below depth.
double bound(unsigned depth) { return depth * depth * 0x1p-24; }
}

Words fragments(int) {
  Numbers<bf16> a(256), b(128);
  Numbers<float> d(128);
  for (unsigned i = 0; i < 256; i++) a[i] = random_bf16(i);
  for (unsigned i = 0; i < 128; i++) b[i] = random_bf16(i + 1000);
  if (Words w = run(fragments_kernel, 1, 32, 0, d, a, b); !w.empty()) return w;
  for (unsigned i = 0; i < 128; i++) {
    double sum = 0;
    for (unsigned k = 0; k < 16; k++) sum += double{transweld::widen(a[i / 8 * 16 + k])} * transweld::widen(b[k * 8 + i % 8]);
    if (!(std::fabs(sum - d[i]) <= bound(16))) return unequal("mma_bf16", i, double{d[i]}, sum);
  }
  Numbers<signed char> x(512), y(256);
  Numbers<int> whole(128);
  for (unsigned i = 0; i < 512; i++) x[i] = static_cast<signed char>(scrambled(i + 2000));
  for (unsigned i = 0; i < 256; i++) y[i] = static_cast<signed char>(scrambled(i + 3000));
  if (Words w = run(bytes_kernel, 1, 32, 0, whole, x, y); !w.empty()) return w;
  return compare("mma_i8", whole, [&](unsigned i) {
    int sum = 1;
    for (unsigned k = 0; k < 32; k++) sum += x[i / 8 * 32 + k] * y[i % 8 * 32 + k];
    return sum;
  });
}

Words warpgroup(int) {
  Numbers<bf16> a(64 * 64), b(128 * 64);
  Numbers<float> d(64 * 128);
  for (unsigned i = 0; i < a.count; i++) a[i] = random_bf16(i);
  for (unsigned i = 0; i < b.count; i++) b[i] = random_bf16(i + 5000);
  if (Words w = run(warpgroup_kernel, 1, 128, 192 * 128, d, a, b); !w.empty()) return w;
  for (unsigned i = 0; i < d.count; i++) {
    double sum = 0;
    for (unsigned k = 0; k < 64; k++) sum += double{transweld::widen(a[i / 128 * 64 + k])} * transweld::widen(b[i % 128 * 64 + k]);
    if (!(std::fabs(sum - d[i]) <= bound(64))) return unequal("wgmma_bf16", i, double{d[i]}, sum);
  }
  return {};
}
