// What the lanes of a warp do together. One primitive: each lane brings an In, the last to come computes every lane's Out.
// Shuffles, votes, reductions and the matrix products of cuda/device/mma.h are one lambda each.
#pragma once
#include <bit>
#include <type_traits>
#include "thread.h"

namespace cuda_on_host {
using Combine = void (*)(const void* const* in, void* const* out, unsigned lanes, const void* extra);
void rendezvous(unsigned mask, unsigned group, const void* in, void* out, Combine combine, const void* extra, place where, bool fence);

// f(const In* const* in, Out* const* out, unsigned lanes): in[i] is null for a lane that is not in the mask or has exited.
// group is 32 (a warp) or 128 (a warpgroup: then the mask is that of all 32 lanes of each warp). Only a fence orders memory.
template <class Out, class In, class F>
CUDA_ON_HOST_QUIET Out collective(unsigned mask, const In& in, F f, place where = place::current(), unsigned group = 32, bool fence = false) {
  Out out{};
  rendezvous(mask, group, &in, &out, [](const void* const* i, void* const* o, unsigned lanes, const void* extra) CUDA_ON_HOST_SILENT {
    (*static_cast<const F*>(extra))(reinterpret_cast<const In* const*>(i), reinterpret_cast<Out* const*>(o), lanes);
  }, &f, where, fence);
  return out;
}

// out[i] = what lane source(i) brought. A lane that is not in the mask is read as if it had brought NaN bytes: undefined on the device.
template <class T, class Source>
CUDA_ON_HOST_SILENT T shuffle(unsigned mask, T value, Source source, place at) {
  static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8), "shuffles move 4 or 8 bytes");
  return collective<T>(mask, value, [source](const T* const* in, T* const* out, unsigned) CUDA_ON_HOST_SILENT {
    for (int i = 0; i < 32; i++) {
      if (!in[i]) continue;
      int from = source(i);
      if (in[from]) *out[i] = *in[from];
      else __builtin_memset(static_cast<void*>(out[i]), 0xff, sizeof(T));
    }
  }, at);
}
}

// The only warp collective that orders memory.
inline void __syncwarp(unsigned mask = ~0u, cuda_on_host::place at = cuda_on_host::place::current()) {
  cuda_on_host::collective<char>(mask, char{}, [](const char* const*, char* const*, unsigned) CUDA_ON_HOST_SILENT {}, at, 32, true);
}

template <class T>
CUDA_ON_HOST_SILENT T __shfl_sync(unsigned mask, T value, int source, int width = 32, cuda_on_host::place at = cuda_on_host::place::current()) {
  struct In { T value; int source; };
  return cuda_on_host::collective<T>(mask, In{value, source}, [width](const In* const* in, T* const* out, unsigned) CUDA_ON_HOST_SILENT {
    for (int i = 0; i < 32; i++) {
      if (!in[i]) continue;
      int from = (i & ~(width - 1)) + (in[i]->source & (width - 1));
      if (in[from]) *out[i] = in[from]->value;
      else __builtin_memset(static_cast<void*>(out[i]), 0xff, sizeof(T));
    }
  }, at);
}
template <class T>
CUDA_ON_HOST_SILENT T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32,
                                      cuda_on_host::place at = cuda_on_host::place::current()) {
  return cuda_on_host::shuffle(mask, value, [lanes, width](int i) CUDA_ON_HOST_SILENT {
    int from = i ^ lanes;
    return from < (i & ~(width - 1)) + width ? from : i;
  }, at);
}
template <class T>
CUDA_ON_HOST_SILENT T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                                       cuda_on_host::place at = cuda_on_host::place::current()) {
  return cuda_on_host::shuffle(mask, value, [delta, width](int i) CUDA_ON_HOST_SILENT {
    return (i & (width - 1)) + delta < static_cast<unsigned>(width) ? i + static_cast<int>(delta) : i;
  }, at);
}
template <class T>
CUDA_ON_HOST_SILENT T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                                     cuda_on_host::place at = cuda_on_host::place::current()) {
  return cuda_on_host::shuffle(mask, value, [delta, width](int i) CUDA_ON_HOST_SILENT {
    return static_cast<unsigned>(i & (width - 1)) >= delta ? i - static_cast<int>(delta) : i;
  }, at);
}

namespace cuda_on_host {
// Every lane's answer is the fold of all lanes' values.
template <class T, class F>
CUDA_ON_HOST_SILENT T fold(unsigned mask, T value, F f, place at) {
  return collective<T>(mask, value, [f](const T* const* in, T* const* out, unsigned) CUDA_ON_HOST_SILENT {
    T sum{};
    bool first = true;
    for (int i = 0; i < 32; i++) {
      if (!in[i]) continue;
      sum = first ? *in[i] : f(sum, *in[i]);
      first = false;
    }
    for (int i = 0; i < 32; i++) {
      if (in[i]) *out[i] = sum;
    }
  }, at);
}
}

inline unsigned __ballot_sync(unsigned mask, int predicate, cuda_on_host::place at = cuda_on_host::place::current()) {
  return cuda_on_host::collective<unsigned>(mask, predicate, [](const int* const* in, unsigned* const* out, unsigned) CUDA_ON_HOST_SILENT {
    unsigned votes = 0;
    for (int i = 0; i < 32; i++) {
      if (in[i] && *in[i]) votes |= 1u << i;
    }
    for (int i = 0; i < 32; i++) {
      if (in[i]) *out[i] = votes;
    }
  }, at);
}
inline int __any_sync(unsigned mask, int predicate, cuda_on_host::place at = cuda_on_host::place::current()) {
  return __ballot_sync(mask, predicate, at) != 0;
}
inline int __all_sync(unsigned mask, int predicate, cuda_on_host::place at = cuda_on_host::place::current()) {
  return __ballot_sync(mask, !predicate, at) == 0;
}
template <class T>
CUDA_ON_HOST_SILENT unsigned __match_any_sync(unsigned mask, T value, cuda_on_host::place at = cuda_on_host::place::current()) {
  return cuda_on_host::collective<unsigned>(mask, value, [](const T* const* in, unsigned* const* out, unsigned) CUDA_ON_HOST_SILENT {
    for (int i = 0; i < 32; i++) {
      if (!in[i]) continue;
      unsigned same = 0;
      for (int j = 0; j < 32; j++) {
        if (in[j] && __builtin_memcmp(in[i], in[j], sizeof(T)) == 0) same |= 1u << j;
      }
      *out[i] = same;
    }
  }, at);
}

// As on the device only 32-bit integers: unsigned and int.
#define CUDA_ON_HOST_REDUCE(name, type, expression)                                                                        \
  inline type name(unsigned mask, type value, cuda_on_host::place at = cuda_on_host::place::current()) {                   \
    return cuda_on_host::fold(mask, value, [](type a, type b) CUDA_ON_HOST_SILENT { return static_cast<type>(expression); }, at); \
  }
CUDA_ON_HOST_REDUCE(__reduce_add_sync, unsigned, a + b)
CUDA_ON_HOST_REDUCE(__reduce_add_sync, int, static_cast<unsigned>(a) + static_cast<unsigned>(b))
CUDA_ON_HOST_REDUCE(__reduce_max_sync, unsigned, a > b ? a : b)
CUDA_ON_HOST_REDUCE(__reduce_max_sync, int, a > b ? a : b)
CUDA_ON_HOST_REDUCE(__reduce_min_sync, unsigned, a < b ? a : b)
CUDA_ON_HOST_REDUCE(__reduce_min_sync, int, a < b ? a : b)
CUDA_ON_HOST_REDUCE(__reduce_or_sync, unsigned, a | b)
CUDA_ON_HOST_REDUCE(__reduce_and_sync, unsigned, a & b)
#undef CUDA_ON_HOST_REDUCE
