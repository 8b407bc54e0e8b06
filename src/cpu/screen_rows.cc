// screen_rows: the low-precision copy of a weight, whole. Sixteen features a task: one group of the layout, one owner.
#include "../expect.h"
#include "ops.h"
#include "shadow.h"

namespace transweld::TRANSWELD_ISA {

// An i8 screen needs vpmaddubsw or better, a bf16 screen vdpbf16ps.
uint64_t screen_bytes(uint32_t screen, uint64_t rows, uint64_t columns) {
#if defined(__AVX512BF16__)
  const bool here = screen == TW_SCREEN_INT8 || screen == TW_SCREEN_BF16;
#elif defined(__AVX2__)
  const bool here = screen == TW_SCREEN_INT8;
#else
  const bool here = false;
#endif
  return here && rows && columns && columns <= kScreenColumns ? shadow_bytes(screen, rows, columns) : 0;
}

tw_status screen_rows(tw_context* context, const tw_screen_rows_args& a) {
  const size_t F = a.weight.rows, D = a.weight.columns;
  Check check{context};
  check.view("weight", a.weight, {TW_F32, kAny, kAny});
  if (check.status) return check.status;
  const uint64_t bytes = screen_bytes(a.screen, F, D);
  if (!bytes) return F && D ? fail(context, TW_UNSUPPORTED, "this processor has no screen %u for %zu columns", a.screen, D) : TW_OK;
  if (check.view("shadow", a.shadow, {TW_I8, 1, bytes}).status) return check.status;
  const size_t group_bytes = shadow_words(a.screen, D) * 64;
  each(context, (F + 15) / 16, [&](size_t group, unsigned) {
    const size_t end = group * 16 + 16 < F ? group * 16 + 16 : F;
    if (end < group * 16 + 16) {   // lanes without a feature
      memset(static_cast<int8_t*>(a.shadow.data) + group * group_bytes, 0, group_bytes);
      memset(shadow_bounds(a.shadow.data, a.screen, F, D) + group, 0, sizeof(Bounds));
    }
    for (size_t f = group * 16; f < end; f++) shadow_refresh(a.shadow.data, a.screen, F, D, f, row(a.weight, f));
  });
  return TW_OK;
}

}   // namespace transweld
