// Vector loads and stores. A view may begin anywhere that its elements may, so the width is a property of the call: the
// launcher asks `vector_width` once and the kernel is a template over it.
//   Vec<T, W>                W elements, 16 bytes at most, moved by one instruction
//   load_vec<W>(p)           -> Vec, p aligned to W elements     store_vec(p, v)
//   vector_width(views...)   the largest of 4, 2, 1 (f32) that divides every column count, stride and address
#pragma once
#include "dtype.h"

namespace transweld {

template <class T, int W> struct alignas(sizeof(T) * W) Vec {
  T at[W];
};

template <int W, class T> __device__ inline Vec<T, W> load_vec(const T* p) { return *reinterpret_cast<const Vec<T, W>*>(p); }
template <class T, int W> __device__ inline void store_vec(T* p, const Vec<T, W>& v) { *reinterpret_cast<Vec<T, W>*>(p) = v; }

// Whether rows of `v` may be read `width` elements at a time: its address, its pitch and its columns are multiples of it.
inline bool divides(const tw_view& v, uint64_t width) {
  if (!v.data) return true;
  return v.columns % width == 0 && (v.rows <= 1 || v.stride % width == 0) &&
         reinterpret_cast<uintptr_t>(v.data) % (width * tw_dtype_bytes(v.dtype)) == 0;
}

template <class... V> int vector_width(const V&... views) {
  if ((divides(views, 4) && ...)) return 4;
  return (divides(views, 2) && ...) ? 2 : 1;
}

// f(width) with the width as a constant: with_width(w, [&](auto w) { kernel<w.value> ... }).
template <int W> struct Width { static constexpr int value = W; };
template <class F> tw_status with_width(int width, const F& f) {
  return width == 4 ? f(Width<4>{}) : width == 2 ? f(Width<2>{}) : f(Width<1>{});
}

}   // namespace transweld
