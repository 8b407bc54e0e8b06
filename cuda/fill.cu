// fill: out[r, c] = value (f32) or the low bits of `bits` (other dtypes); out [R, C] of any dtype, any stride.
// Bytes: R·C·element written, nothing read; no flops. The value is repeated over 16 bytes once on the host, and every thread
// stores the widest unit that the view's address, columns and stride are multiples of.
#include "device/rows.h"
#include "ops.h"
#include "tile.h"

namespace transweld {
namespace {

struct Repeated { alignas(16) unsigned char bytes[16]; };

template <class Unit>
__global__ void __launch_bounds__(Walk::kThreads) fill_rows_kernel(Walk walk, Unit* out, uint64_t stride, Repeated repeated) {
  Unit value;
  memcpy(&value, repeated.bytes, sizeof value);
  walk.each<tile::rows::kAhead>([&](uint64_t row) { return out + row * stride; }, [&](Unit*, uint64_t) { return value; },
                                [](Unit* to, uint64_t step, const Unit& x) { to[step] = x; });
}

}   // namespace

tw_status fill(tw_context* context, const tw_fill_args& a) {
  Check check{context};
  check.view("out", a.out, {a.out.dtype, a.out.rows, a.out.columns}).that(a.out.dtype <= TW_U64, "a dtype", "out", a.out.dtype);
  if (check.status || !a.out.rows || !a.out.columns) return check.status;
  tw_view out = a.out;
  flatten(out);
  const uint64_t element = tw_dtype_bytes(out.dtype), bits = out.dtype == TW_F32 ? bits_of(a.value) : a.bits;
  Repeated repeated;
  for (uint64_t i = 0; i < sizeof repeated.bytes; i++) repeated.bytes[i] = static_cast<unsigned char>(bits >> i % element * 8);
  return with_unit(address_bits(out), [&](auto unit) {
    using Unit = decltype(unit);
    const Walk walk = walk_of<tile::rows::kAhead>(out.rows, out.columns * element / sizeof(Unit));
    const cudaError_t error = launch(fill_rows_kernel<Unit>, walk.blocks(), Walk::kThreads, 0, stream(context), walk,
                                     static_cast<Unit*>(out.data), out.stride * element / sizeof(Unit), repeated);
    return launched(context, error, "fill_rows_kernel");
  });
}

}   // namespace transweld
