// scatter_rows: out[index[i]] = source[i]; source [M, D] of any dtype, index [M], out [R, D].
// Bytes: M·D·element read and as many written, no flops; the index is read M times, 4·M bytes that the caches hold: of an index that
// comes twice the last row stays, whole, in whatever order warps run. A warp a row, which it writes where no later row goes to the same
// place; it moves the widest unit that both views are multiples of. A wrong index is left out.
#include "device/fault.h"
#include "device/rows.h"
#include "ops.h"
#include "tile.h"

namespace transweld {
namespace {

using tile::scatter_rows::kAhead, tile::scatter_rows::kWarps;

template <class Unit>
__global__ void __launch_bounds__(kWarps * 32)
scatter_rows_copy_kernel(const Unit* source, uint64_t source_stride, uint64_t rows, uint64_t steps, const uint32_t* index, Unit* out,
                         uint64_t out_stride, uint64_t out_rows, Report report) {
  for (uint64_t row = uint64_t{blockIdx.x} * kWarps + warp_of(); row < rows; row += uint64_t{gridDim.x} * kWarps) {
    const uint32_t place = index[row];
    if (place >= out_rows) {
      if (lane_of() == 0) report(kFaultScatter, place);
      continue;
    }
    bool again = false;
#pragma unroll 8
    for (uint64_t later = row + 1 + lane_of(); later < rows; later += 32) again |= index[later] == place;
    if (__any_sync(kAllLanes, again)) continue;
    const Unit* from = source + row * source_stride;
    Unit* to = out + place * out_stride;
    for (uint64_t first = lane_of(); first < steps; first += 32 * kAhead) {
      Unit unit[kAhead];
#pragma unroll
      for (int i = 0; i < kAhead; i++) {
        if (first + i * 32 < steps) unit[i] = from[first + i * 32];
      }
#pragma unroll
      for (int i = 0; i < kAhead; i++) {
        if (first + i * 32 < steps) to[first + i * 32] = unit[i];
      }
    }
  }
}

}   // namespace

tw_status scatter_rows(tw_context* context, const tw_scatter_rows_args& a) {
  const uint64_t rows = a.source.rows, columns = a.source.columns, bytes = tw_dtype_bytes(a.source.dtype);
  Check check{context};
  check.view("source", a.source, {a.source.dtype, kAny, kAny}).view("index", a.index, {TW_U32, 1, rows});
  check.view("out", a.out, {a.source.dtype, kAny, columns});
  if (check.status || !rows) return check.status;
  return with_unit(address_bits(a.source) | address_bits(a.out), [&](auto unit) {
    using Unit = decltype(unit);
    const cudaError_t error = launch(scatter_rows_copy_kernel<Unit>, grid_of(rows, kWarps), kWarps * 32, 0, stream(context),
                                     static_cast<const Unit*>(a.source.data), a.source.stride * bytes / sizeof(Unit), rows,
                                     columns * bytes / sizeof(Unit), u32(a.index), static_cast<Unit*>(a.out.data),
                                     a.out.stride * bytes / sizeof(Unit), a.out.rows, report(context));
    return launched(context, error, "scatter_rows_copy_kernel");
  });
}

}   // namespace transweld
