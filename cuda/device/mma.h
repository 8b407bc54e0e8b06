// Tensor-core products of one warp, as mma.sync has them on sm_80 and up. Lane l, g = l / 4, t = l % 4.
//
//   mma_bf16(d, a, b)   D[16][8] f32 += A[16][16] · B[16][8], operands bf16, two to a register
//   mma_i8(d, a, b)     D[16][8] i32 += A[16][32] · B[32][8], operands i8, four to a register
//       a[r]  row g + 8·(r % 2), the register's columns from t·E + half·(r / 2)      E = 2 or 4 elements, half = 8 or 16
//       b[r]  column g, the register's rows from t·E + half·r
//       d[r]  row g + 8·(r / 2), column 2t + r % 2
//   load_fragments(r, row)   ldmatrix: four 8 × 16-byte matrices from shared memory; lane l gives the address of row l % 8 of
//                            matrix l / 8 and gets in r[i] the 4 bytes at 4t of row g of matrix i
#pragma once
#include "dtype.h"

namespace transweld {

#ifdef TRANSWELD_CUDA_ON_HOST

namespace emulated {
template <class D> struct Operands { D d[4]; unsigned a[4], b[2]; };
template <class D> struct Tile { D d[4]; };

// The product over whole rows and columns; element(register, i) takes element i of a register apart.
template <int Elements, class D, class Element>
CUDA_ON_HOST_SILENT void multiply(const Operands<D>* const* in, Tile<D>* const* out, Element element) {
  constexpr int kDepth = 8 * Elements;
  D A[16][kDepth], B[kDepth][8], C[16][8];   // 3.5 KB of the lane's stack at most
  for (int l = 0; l < 32; l++) {
    const int g = l / 4, t = l % 4;
    for (int i = 0; i < Elements; i++) {
      for (int r = 0; r < 4; r++) A[g + 8 * (r % 2)][t * Elements + i + 4 * Elements * (r / 2)] = element(in[l]->a[r], i);
      for (int r = 0; r < 2; r++) B[t * Elements + i + 4 * Elements * r][g] = element(in[l]->b[r], i);
    }
    for (int r = 0; r < 4; r++) C[g + 8 * (r / 2)][2 * t + r % 2] = in[l]->d[r];
  }
  for (int k = 0; k < kDepth; k++) {
    for (int m = 0; m < 16; m++) {
      for (int n = 0; n < 8; n++) C[m][n] += A[m][k] * B[k][n];
    }
  }
  for (int l = 0; l < 32; l++) {
    for (int r = 0; r < 4; r++) out[l]->d[r] = C[l / 4 + 8 * (r / 2)][2 * (l % 4) + r % 2];
  }
}

template <int Elements, class D, class Element>
void product(D (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], Element element, cuda_on_host::place at) {
  const Operands<D> mine{{d[0], d[1], d[2], d[3]}, {a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  const auto whole = [element](const Operands<D>* const* in, Tile<D>* const* out, unsigned) CUDA_ON_HOST_SILENT {
    multiply<Elements, D>(in, out, element);
  };
  const Tile<D> result = cuda_on_host::collective<Tile<D>>(kAllLanes, mine, whole, at);
  for (int r = 0; r < 4; r++) d[r] = result.d[r];
}
}   // namespace emulated

inline void mma_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], cuda_on_host::place at = cuda_on_host::place::current()) {
  emulated::product<2>(d, a, b, [](unsigned word, int i) CUDA_ON_HOST_SILENT { return float_of(i ? word & 0xffff0000u : word << 16); }, at);
}

inline void mma_i8(int (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], cuda_on_host::place at = cuda_on_host::place::current()) {
  emulated::product<4>(d, a, b, [](unsigned word, int i) CUDA_ON_HOST_SILENT { return static_cast<int>(static_cast<int8_t>(word >> 8 * i)); }, at);
}

// Each lane reads its own row, so that a race is seen where it is made; the exchange orders nothing.
inline void load_fragments(unsigned (&r)[4], const void* row, cuda_on_host::place at = cuda_on_host::place::current()) {
  struct Row { unsigned word[4]; };
  const Row mine = *static_cast<const Row*>(row);
  const auto exchange = [](const Row* const* in, Row* const* out, unsigned) CUDA_ON_HOST_SILENT {
    for (int l = 0; l < 32; l++) {
      for (int i = 0; i < 4; i++) out[l]->word[i] = in[i * 8 + l / 4]->word[l % 4];
    }
  };
  const Row result = cuda_on_host::collective<Row>(kAllLanes, mine, exchange, at);
  for (int i = 0; i < 4; i++) r[i] = result.word[i];
}

#else

__device__ inline void mma_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ inline void mma_i8(int (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ inline void load_fragments(unsigned (&r)[4], const void* row) {
  const unsigned from = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(from) : "memory");
}

#endif

}   // namespace transweld
