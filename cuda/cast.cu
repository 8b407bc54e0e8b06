// cast: out[r, c] = source[r, c] in out's dtype, rounded to nearest even; [R, C] of f32, bf16 or f16, any strides.
// Bytes: R·C·(element of source + element of out), each once; a few integer operations an element hide behind them.
// Rows of one dtype are moved bit by bit, as the widest unit that both views are multiples of; others four elements a thread
// (16 bytes on the f32 side) where the views allow it.
#include "device/rows.h"
#include "ops.h"
#include "tile.h"

namespace transweld {
namespace {

constexpr int kAhead = tile::rows::kAhead;

template <class From, class To> struct Row { const From* from; To* to; };

template <class Unit>
__global__ void __launch_bounds__(Walk::kThreads)
cast_copy_kernel(Walk walk, const Unit* source, uint64_t source_stride, Unit* out, uint64_t out_stride) {
  using At = Row<Unit, Unit>;
  walk.each<kAhead>([&](uint64_t row) { return At{source + row * source_stride, out + row * out_stride}; },
                    [](const At& at, uint64_t step) { return at.from[step]; },
                    [](const At& at, uint64_t step, const Unit& x) { at.to[step] = x; });
}

template <int W, class From, class To>
__global__ void __launch_bounds__(Walk::kThreads)
cast_round_kernel(Walk walk, const From* source, uint64_t source_stride, To* out, uint64_t out_stride) {
  using At = Row<From, To>;
  walk.each<kAhead>([&](uint64_t row) { return At{source + row * source_stride, out + row * out_stride}; },
                    [](const At& at, uint64_t step) { return load_vec<W>(at.from + step * W); },
                    [](const At& at, uint64_t step, const Vec<From, W>& from) {
                      Vec<To, W> to;
#pragma unroll
                      for (int i = 0; i < W; i++) to.at[i] = narrow<To>(widen(from.at[i]));
                      store_vec(at.to + step * W, to);
                    });
}

tw_status copy_rows(tw_context* context, const tw_view& source, const tw_view& out) {
  return with_unit(address_bits(source) | address_bits(out), [&](auto unit) {
    using Unit = decltype(unit);
    const uint64_t element = tw_dtype_bytes(out.dtype);
    const Walk walk = walk_of<kAhead>(out.rows, out.columns * element / sizeof(Unit));
    const cudaError_t error = launch(cast_copy_kernel<Unit>, walk.blocks(), Walk::kThreads, 0, stream(context), walk,
                                     static_cast<const Unit*>(source.data), source.stride * element / sizeof(Unit),
                                     static_cast<Unit*>(out.data), out.stride * element / sizeof(Unit));
    return launched(context, error, "cast_copy_kernel");
  });
}

template <class From, class To>
tw_status round_rows(tw_context* context, const tw_view& source, const tw_view& out, const From* from, To* to) {
  return with_width(vector_width(source, out), [&](auto width) {
    constexpr int W = decltype(width)::value;
    const Walk walk = walk_of<kAhead>(out.rows, out.columns / W);
    const cudaError_t error = launch(cast_round_kernel<W, From, To>, walk.blocks(), Walk::kThreads, 0, stream(context), walk, from,
                                     source.stride, to, out.stride);
    return launched(context, error, "cast_round_kernel");
  });
}
template <class T> tw_status round_rows(tw_context* context, const tw_view& source, const tw_view& out, const T*, T*) {
  return copy_rows(context, source, out);
}

}   // namespace

tw_status cast(tw_context* context, const tw_cast_args& a) {
  const uint64_t rows = a.source.rows, columns = a.source.columns;
  Check check{context};
  check.view("source", a.source, {kFloat, rows, columns}).view("out", a.out, {kFloat, rows, columns});
  if (check.status || !rows || !columns) return check.status;
  tw_view source = a.source, out = a.out;
  flatten(source, out);
  return with_float(source, [&](const auto* from) {
    return with_float(out, [&](auto* to) { return round_rows(context, source, out, from, to); });
  });
}

}   // namespace transweld
