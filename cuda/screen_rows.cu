// screen_rows: the low-precision copy of a weight, whole (device/shadow.h).
//
//   weight f32 [F, D] ─► shadow: tiles of codes, i8 or bf16, and scale, norm, error of every row
//
// Bytes: 4·F·D read from memory once (a row is read again from the first cache for its codes), F·D or 2·F·D written. Flops: 4·F·D
// at most; nothing but memory matters. A half-warp owns a row, since the sums of a row are canonical dots: sixteen chains of
// multiply-adds of D/16 each, with four loads of 64 neighbouring bytes in flight; eight rows a block keep a processor's 2048
// threads busy with 128 rows, which hides what the chains wait for.
#include "device/shadow.h"
#include "ops.h"

namespace transweld {
namespace {

constexpr unsigned kThreads = 128, kRows = kThreads / kHalf;   // of a block

__global__ void screen_rows_refresh_kernel(ShadowView view, const float* weight, uint64_t stride) {
  for (uint64_t f = blockIdx.x * kRows + threadIdx.x / kHalf; f / 2 * 2 < view.padded_rows(); f += uint64_t{gridDim.x} * kRows) {
    half_refresh_row(view, f, f < view.rows ? weight + f * stride : nullptr);
  }
}

}   // namespace

uint64_t screen_bytes(uint32_t screen, uint64_t rows, uint64_t columns) {
  const bool here = screen == TW_SCREEN_INT8 || screen == TW_SCREEN_BF16;
  return here && rows && columns && columns <= kScreenColumns ? ShadowView{nullptr, screen, rows, columns}.bytes() : 0;
}

tw_status screen_rows(tw_context* context, const tw_screen_rows_args& a) {
  const uint64_t F = a.weight.rows, D = a.weight.columns;
  Check check{context};
  check.view("weight", a.weight, {TW_F32, kAny, kAny});
  if (check.status) return check.status;
  const uint64_t bytes = screen_bytes(a.screen, F, D);
  if (!bytes) {
    return F && D ? fail(context, TW_UNSUPPORTED, "this processor has no screen %u for %" PRIu64 " columns", a.screen, D) : TW_OK;
  }
  if (read_shadow(check, a.shadow, bytes).status) return check.status;
  const ShadowView view{static_cast<unsigned char*>(a.shadow.data), a.screen, F, D};
  return launched(context, launch(screen_rows_refresh_kernel, grid_of(view.padded_rows(), kRows), kThreads, 0, stream(context), view,
                                  f32(a.weight), a.weight.stride), "screen_rows_refresh_kernel");
}

}   // namespace transweld
