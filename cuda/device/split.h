// f32 products on bf16 tensor cores. A number of 24 bits is the sum of three bf16 of 8 bits each, found by rounding and subtracting:
//   a1 = bf16(a), a2 = bf16(a − a1), a3 = a − a1 − a2      |a2| <= 2^-8·|a|, |a3| <= 2^-17·|a|, a = a1 + a2 + a3 exactly
// so a·b = Σ ai·bj, of which the six with i + j <= 4 are kept: a2·b3, a3·b2 and a3·b3 are below 2^-24·|a·b|. A bf16 operand is
// one part (three products), two of them leave one product. A product of parts has 16 bits: the tensor core makes it exactly.
//   Share<Parts>    what one thread brings to a step: eight elements of a row that are neighbours in the sum
//     read(o, row, k, end)    from memory; zeros beyond the operand and from `end` on. f32 and bf16 are not touched before settle
//                             or take, so that they may arrive while the step before is multiplied
//     settle(o)               before most and take: what is not bf16 yet becomes it
//     take(last)              the next part of the eight elements, packed in pairs
//     most()                  the bits of the largest magnitude among the eight
//   splits(most)    whether a row whose largest magnitude that is may go through parts
#pragma once
#include "vec.h"

namespace transweld {

// Row r of an operand has its elements k at data[r·next + k·step]: its own rows (step 1), or its columns (next 1).
struct Operand {
  const void* data;
  uint64_t rows, next, step;
  uint32_t dtype;
  bool wide;                // step 1, and four elements may be read at once
  bool rounded = false;     // counts as rounded to bf16: one part
  const float* scales = nullptr;   // of i8: element k is scales[k]·integer, in f32. Without them it is the integer, which bf16 holds
};
inline bool is_one_part(const Operand& o) { return o.dtype == TW_BF16 || o.rounded || (o.dtype == TW_I8 && !o.scales); }

inline Operand operand_of(const tw_view& v, bool by_columns) {
  if (by_columns) return {v.data, v.rows, v.stride, 1, v.dtype, divides(v, 4)};
  return {v.data, v.columns, 1, v.stride, v.dtype, false};
}

// Rows that parts cannot carry: not finite, or so large that a sum of products could overflow where its terms do not, or so
// small throughout that parts fall below 2^-133, where bf16 ends. In a row within these bounds an element loses at most 2^-134,
// 2^-54 of the largest. The bound is on the row alone, so what a row of results is does not depend on the rows beside it.
constexpr float kLeastMost = 0x1p-80f, kMostMost = 0x1p55f;
__device__ inline bool splits(unsigned most) { return most == 0 || (most >= bits_of(kLeastMost) && most < bits_of(kMostMost)); }

template <class T> __device__ inline const T* element(const Operand& o, uint64_t row, uint64_t k) {
  return static_cast<const T*>(o.data) + row * o.next + k * o.step;
}
__device__ inline float value_at(const Operand& o, uint64_t row, uint64_t k) {
  if (o.dtype == TW_BF16) return widen(*element<bf16>(o, row, k));
  if (o.dtype == TW_I8) {
    const float whole = static_cast<float>(*element<int8_t>(o, row, k));
    return o.scales ? o.scales[k] * whole : whole;
  }
  const float x = o.dtype == TW_F16 ? widen(*element<f16>(o, row, k)) : *element<float>(o, row, k);
  return o.rounded ? widen(narrow<bf16>(x)) : x;
}

// The upper halves of two f32, which are bf16 where the lower ones are 0: low in the lower half.
__device__ inline unsigned pair_of(float low, float high) { return __byte_perm(bits_of(low), bits_of(high), 0x7632); }
__device__ inline float rounded_to_bf16(float x) { return float_of((bits_of(x) + 0x8000u) & 0xffff0000u); }   // ties away from 0

// The two lower bytes as integers in bf16.
__device__ inline unsigned pair_of_bytes(unsigned bytes) {
  return pair_of(static_cast<float>(static_cast<int8_t>(bytes)), static_cast<float>(static_cast<int8_t>(bytes >> 8)));
}

template <int Parts> struct Share;

// f32, f16 (whose third part is 0) and scaled i8.
template <> struct Share<3> {
  float x[8];

  template <class T> __device__ void read_as(const Operand& o, uint64_t row, uint64_t k, uint64_t end) {
    const T* from = element<T>(o, row, k);
    if (row < o.rows && k + 8 <= end) {
      if (o.wide) {
        const Vec<T, 4> low = load_vec<4>(from), high = load_vec<4>(from + 4);
#pragma unroll
        for (int i = 0; i < 4; i++) { x[i] = widen(low.at[i]); x[i + 4] = widen(high.at[i]); }
        return;
      }
#pragma unroll
      for (int i = 0; i < 8; i++) x[i] = widen(from[i * o.step]);
      return;
    }
#pragma unroll
    for (int i = 0; i < 8; i++) x[i] = row < o.rows && k + i < end ? widen(from[i * o.step]) : 0;
  }
  __device__ void read(const Operand& o, uint64_t row, uint64_t k, uint64_t end) {
    if (o.dtype == TW_F32) read_as<float>(o, row, k, end);
    else if (o.dtype == TW_F16) read_as<f16>(o, row, k, end);
    else {
#pragma unroll
      for (int i = 0; i < 8; i++) x[i] = row < o.rows && k + i < end ? value_at(o, row, k + i) : 0;
    }
  }
  __device__ void settle(const Operand&) {}

  __device__ unsigned most() const {
    unsigned m = 0;
#pragma unroll
    for (int i = 0; i < 8; i++) {
      const unsigned size = bits_of(x[i]) & 0x7fffffffu;
      m = size > m ? size : m;
    }
    return m;
  }

  // Parts are taken in order: what is left of x after part 2 is part 3.
  __device__ uint4 take(bool last) {
    unsigned word[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      float part[2];
#pragma unroll
      for (int j = 0; j < 2; j++) {
        part[j] = last ? x[2 * i + j] : rounded_to_bf16(x[2 * i + j]);
        x[2 * i + j] -= part[j];
      }
      word[i] = pair_of(part[0], part[1]);
    }
    return {word[0], word[1], word[2], word[3]};
  }
};

// bf16 as it lies in memory, integers, and f32 or f16 that count as rounded.
template <> struct Share<1> {
  unsigned word[8];                         // what was read: 8 numbers of f32, 4 pairs of bf16, 2 words of i8. Settled: 4 pairs of bf16

  __device__ void read(const Operand& o, uint64_t row, uint64_t k, uint64_t end) {
    const bool whole = row < o.rows && k + 8 <= end && o.wide;
    const auto is = [&](int i) { return row < o.rows && k + i < end; };
    if (o.dtype == TW_BF16) {
      const bf16* from = element<bf16>(o, row, k);
      if (whole) {
        const uint2 low = *reinterpret_cast<const uint2*>(from), high = *reinterpret_cast<const uint2*>(from + 4);
        word[0] = low.x; word[1] = low.y; word[2] = high.x; word[3] = high.y;
        return;
      }
#pragma unroll
      for (int i = 0; i < 4; i++) word[i] = (is(2 * i) ? from[2 * i * o.step].bits : 0u) | (is(2 * i + 1) ? from[(2 * i + 1) * o.step].bits : 0u) << 16;
    } else if (o.dtype == TW_I8) {
      const int8_t* from = element<int8_t>(o, row, k);
      if (whole) {
        word[0] = *reinterpret_cast<const unsigned*>(from);
        word[1] = *reinterpret_cast<const unsigned*>(from + 4);
        return;
      }
      word[0] = word[1] = 0;
#pragma unroll
      for (int i = 0; i < 8; i++) word[i / 4] |= is(i) ? (from[i * o.step] & 0xffu) << 8 * (i % 4) : 0u;
    } else if (o.dtype == TW_F32 && whole) {
      const float* from = element<float>(o, row, k);
      const uint4 low = *reinterpret_cast<const uint4*>(from), high = *reinterpret_cast<const uint4*>(from + 4);
      word[0] = low.x; word[1] = low.y; word[2] = low.z; word[3] = low.w;
      word[4] = high.x; word[5] = high.y; word[6] = high.z; word[7] = high.w;
    } else {
#pragma unroll
      for (int i = 0; i < 8; i++) word[i] = is(i) ? bits_of(value_at(o, row, k + i)) : 0;
    }
  }

  __device__ void settle(const Operand& o) {
    if (o.dtype == TW_BF16) return;
    if (o.dtype == TW_I8) {
      const unsigned low = word[0], high = word[1];
#pragma unroll
      for (int i = 0; i < 4; i++) word[i] = pair_of_bytes((i < 2 ? low : high) >> 16 * (i % 2));
      return;
    }
#pragma unroll
    for (int i = 0; i < 4; i++) word[i] = narrow<bf16>(float_of(word[2 * i])).bits | narrow<bf16>(float_of(word[2 * i + 1])).bits << 16;
  }

  __device__ unsigned most() const {
    unsigned m = 0;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const unsigned low = word[i] << 16 & 0x7fffffffu, high = word[i] & 0x7fff0000u;
      m = low > m ? low : m;
      m = high > m ? high : m;
    }
    return m;
  }

  __device__ uint4 take(bool) const { return {word[0], word[1], word[2], word[3]}; }
};

}   // namespace transweld
