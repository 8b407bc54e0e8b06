// Rotary positions in place: column j of a head and column j + R turn by the angle of the row's place. Sixteen columns at a time for
// all heads of a row, so that cosines and sines stay in registers; a row of 32 heads of 128 lies in the first cache.
#include "../expect.h"
#include "lanes.h"
#include "ops.h"
#include "pattern.h"

namespace transweld::TRANSWELD_ISA {
namespace {
constexpr size_t kRows = 8;   // an item
}

tw_status rope(tw_context* context, const tw_rope_args& a) {
  const size_t rows = a.x.rows, columns = a.x.columns, half = a.angles.columns / 2;
  Check check{context};
  check.view("x", a.x, {TW_F32, kAny, kAny})
      .view("places", a.places, {TW_U32, 1, rows})
      .view("angles", a.angles, {TW_F32, kAny, kAny})
      .that(a.heads && columns % a.heads == 0, "heads that divide the columns of x", "heads", a.heads);
  if (check.status) return check.status;
  const size_t width = columns / a.heads;
  check.that(a.angles.columns % 2 == 0 && half <= width / 2, "an even number, at most the columns of a head, for columns of", "angles", a.angles.columns);
  if (check.status || !rows) return check.status;
  const uint32_t most = largest(u32(a.places), rows);
  if (check.that(most < a.angles.rows, "places below P", "places", most).status) return check.status;
  each(context, (rows + kRows - 1) / kRows, [&](size_t item, unsigned) {
    for (size_t r = item * kRows; r < rows && r < (item + 1) * kRows; r++) {
      const float* angles = row(a.angles, u32(a.places)[r]);
      float* x = row(a.x, r);
      sixteens(half, [&](size_t j, size_t n) {
        const lanes cosine = load_upto(angles + j, n), sine = load_upto(angles + half + j, n), opposite = sine * splat(-1);
        for (float* head = x + j; head < x + columns; head += width) {
          const lanes near = load_upto(head, n), far = load_upto(head + half, n);
          store_upto(head, fma(near, cosine, far * opposite), n);
          store_upto(head + half, fma(far, cosine, near * sine), n);
        }
      });
    }
  });
  return TW_OK;
}

}   // namespace
