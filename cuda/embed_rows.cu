// embed_rows: out[n] = scale·table[ids[n]] + positions[places[n]]; table [V, D] float, or i8 times table_scales [V]; positions [P, D] float,
// out [N, D] f32. Bytes: N·D·(element of table + element of positions + 4); three flops an element, each rounded. Each thread adds four
// neighbouring columns where the views allow it; the one id of a row is a broadcast within a warp. A wrong id or place counts as a
// row of zeros.
#include "device/fault.h"
#include "device/rows.h"
#include "ops.h"
#include "tile.h"

namespace transweld {
namespace {

// A list of row numbers and the matrix they point into; no list where index is null.
template <class T> struct Lookup {
  const uint32_t* index;
  const T* data;
  uint64_t rows, stride;

  // The row that entry n names; null where there is none.
  __device__ const T* row(uint64_t n, FaultKind kind, const Report& report) const {
    if (!index) return nullptr;
    if (index[n] < rows) return data + index[n] * stride;
    report(kind, index[n]);
    return nullptr;
  }
};

template <class T, class U> struct Row { const T* token; const U* place; float* out; float row_scale; };   // row_scale: 1 of floats, exact
template <int W, class T, class U> struct Both { Vec<T, W> token; Vec<U, W> place; };

template <int W, class T, class U>
__global__ void __launch_bounds__(Walk::kThreads)
embed_rows_add_kernel(Walk walk, Lookup<T> tokens, const float* row_scales, float scale, Lookup<U> places, float* out, uint64_t out_stride,
                      Report report) {
  using At = Row<T, U>;
  walk.each<tile::rows::kAhead>(
    [&](uint64_t row) {
      const T* token = tokens.row(row, kFaultIds, report);
      return At{token, places.row(row, kFaultPlaces, report), out + row * out_stride, token && row_scales ? row_scales[tokens.index[row]] : 1};
    },
    [](const At& at, uint64_t step) {
      Both<W, T, U> both{};
      if (at.token) both.token = load_vec<W>(at.token + step * W);
      if (at.place) both.place = load_vec<W>(at.place + step * W);
      return both;
    },
    [&](const At& at, uint64_t step, const Both<W, T, U>& both) {
      Vec<float, W> sum;
#pragma unroll
      for (int i = 0; i < W; i++) {
        const float token = widen(both.token.at[i]) * at.row_scale * scale;
        sum.at[i] = at.place ? token + widen(both.place.at[i]) : token;
      }
      store_vec(at.out + step * W, sum);
    });
}

}   // namespace

tw_status embed_rows(tw_context* context, const tw_embed_rows_args& a) {
  const uint64_t rows = a.ids.columns, columns = a.table.columns;
  Check check{context};
  check.view("ids", a.ids, {TW_U32, 1, kAny})
      .view("table", a.table, {a.table.dtype == TW_I8 ? uint32_t{TW_I8} : kFloat, kAny, kAny})
      .optional("places", a.places, {TW_U32, 1, rows})
      .optional("positions", a.positions, {kFloat, kAny, columns})
      .view("out", a.out, {TW_F32, rows, columns});
  if (a.table.dtype == TW_I8) check.view("table_scales", a.table_scales, {TW_F32, 1, a.table.rows});
  else check.that(!has(a.table_scales), "none but with an i8 table", "table_scales", a.table_scales.columns);
  if (check.status) return check.status;
  if (has(a.places) != has(a.positions)) {
    return fail(context, TW_INVALID, "expected places and positions together but received only %s", has(a.places) ? "places" : "positions");
  }
  if (!rows || !columns) return TW_OK;
  return with_width(vector_width(a.table, a.positions, a.out), [&](auto width) {
    constexpr int W = decltype(width)::value;
    const Walk walk = walk_of<tile::rows::kAhead>(rows, columns / W);
    return with_stored(a.table, [&]<class T>(T* table) {
      return with_float(a.positions, [&]<class U>(U* positions) {
        const Lookup<T> tokens{u32(a.ids), table, a.table.rows, a.table.stride};
        const Lookup<U> places{u32(a.places), positions, a.positions.rows, a.positions.stride};
        const cudaError_t error = launch(embed_rows_add_kernel<W, T, U>, walk.blocks(), Walk::kThreads, 0, stream(context), walk, tokens,
                                         f32(a.table_scales), a.scale, places, f32(a.out), a.out.stride, report(context));
        return launched(context, error, "embed_rows_add_kernel");
      });
    });
  });
}

}   // namespace transweld
