// gather_rows: out[i] = source[index[i]]; source [R, D] of any dtype, index [M], out [M, D].
// Bytes: M·D·element read (rows that come twice from L2) and as many written; no flops. Rows move as the widest unit that both
// views are multiples of; all threads of a row read its one index, a broadcast within a warp. A wrong index leaves a row of zeros.
#include "device/fault.h"
#include "device/rows.h"
#include "ops.h"
#include "tile.h"

namespace transweld {
namespace {

template <class Unit> struct Row { const Unit* from; Unit* to; };   // from is null where the index is wrong

template <class Unit>
__global__ void __launch_bounds__(Walk::kThreads)
gather_rows_copy_kernel(Walk walk, const Unit* source, uint64_t source_stride, uint64_t source_rows, const uint32_t* index, Unit* out,
                        uint64_t out_stride, Report report) {
  using At = Row<Unit>;
  walk.each<tile::rows::kAhead>([&](uint64_t row) {
    const uint32_t from = index[row];
    if (from >= source_rows) report(kFaultGather, from);
    return At{from < source_rows ? source + from * source_stride : nullptr, out + row * out_stride};
  }, [](const At& at, uint64_t step) { return at.from ? at.from[step] : Unit{}; },
    [](const At& at, uint64_t step, const Unit& x) { at.to[step] = x; });
}

}   // namespace

tw_status gather_rows(tw_context* context, const tw_gather_rows_args& a) {
  const uint64_t rows = a.out.rows, bytes = tw_dtype_bytes(a.source.dtype);
  Check check{context};
  check.view("source", a.source, {a.source.dtype, kAny, kAny}).view("index", a.index, {TW_U32, 1, rows});
  check.view("out", a.out, {a.source.dtype, rows, a.source.columns});
  if (check.status || !rows || !a.out.columns) return check.status;
  return with_unit(address_bits(a.source) | address_bits(a.out), [&](auto unit) {
    using Unit = decltype(unit);
    const Walk walk = walk_of<tile::rows::kAhead>(rows, a.out.columns * bytes / sizeof(Unit));
    const cudaError_t error = launch(gather_rows_copy_kernel<Unit>, walk.blocks(), Walk::kThreads, 0, stream(context), walk,
                                     static_cast<const Unit*>(a.source.data), a.source.stride * bytes / sizeof(Unit), a.source.rows,
                                     u32(a.index), static_cast<Unit*>(a.out.data), a.out.stride * bytes / sizeof(Unit), report(context));
    return launched(context, error, "gather_rows_copy_kernel");
  });
}

}   // namespace transweld
