// The positions of codes regrouped by feature: a stable counting sort, so that the order within a feature is that of the
// rows and the result is the same for any number of threads. Two random passes over the positions, 8 bytes each.
//
//   blocks of rows → a histogram of features each → for every feature, where each block's positions go → write them there
#include "ops.h"
#include "pattern.h"

namespace transweld::TRANSWELD_ISA {
namespace {

constexpr size_t kPositions = 8192;   // positions a block of rows at least: below it a histogram costs more than it saves
constexpr size_t kFeatures = 4096;    // features of one item of the passes over features

struct Sort {
  const Pattern codes;
  size_t features, blocks;
  uint32_t* counts;                   // [blocks, features]: first how many, then where the next one goes

  size_t row_of(size_t block) const { return block * codes.rows / blocks; }
  uint32_t* histogram(size_t block) const { return counts + block * features; }

  void count(size_t block) const {
    uint32_t* own = histogram(block);
    memset(own, 0, features * sizeof *own);
    for (size_t n = row_of(block); n < row_of(block + 1); n++) {
      for (size_t p = codes.begin(n); p < codes.end(n); p++) own[codes.index[p]]++;
    }
  }

  // Positions of the features of one item, over all blocks.
  uint64_t total(size_t from, size_t to) const {
    uint64_t sum = 0;
    for (size_t block = 0; block < blocks; block++) {
      for (size_t f = from; f < to; f++) sum += histogram(block)[f];
    }
    return sum;
  }

  void place(size_t from, size_t to, uint64_t next, uint64_t* feature_starts) const {
    for (size_t f = from; f < to; f++) {
      feature_starts[f] = next;
      for (size_t block = 0; block < blocks; block++) {
        uint32_t& slot = histogram(block)[f];
        const uint32_t many = slot;
        slot = static_cast<uint32_t>(next);
        next += many;
      }
    }
  }

  void write(size_t block, uint32_t* rows, uint32_t* slots) const {
    uint32_t* own = histogram(block);
    for (size_t n = row_of(block); n < row_of(block + 1); n++) {
      for (size_t p = codes.begin(n); p < codes.end(n); p++) {
        const uint32_t at = own[codes.index[p]]++;
        rows[at] = static_cast<uint32_t>(n);
        slots[at] = static_cast<uint32_t>(p);
      }
    }
  }
};

void count_fired(const tw_feature_major_args& a, size_t f, const uint64_t* starts) {
  uint32_t fired = 0;
  for (uint64_t i = starts[f]; i < starts[f + 1]; i++) fired += f32(a.z)[u32(a.slots)[i]] != 0;
  u32(a.fired)[f] = fired;
}

}   // namespace

tw_status feature_major(tw_context* context, const tw_feature_major_args& a) {
  const size_t features = a.features;
  const bool ragged = has(a.codes.starts), fires = has(a.fired);
  Pattern codes;
  Check check{context};
  read_pattern(check, a.codes, a.code_rows, features, codes);
  const uint64_t reach = a.codes.index.rows ? (a.codes.index.rows - 1) * a.codes.index.stride + a.codes.index.columns : 0;
  check.that(a.code_rows <= UINT32_MAX, "at most 2^32 - 1 rows", "code_rows", a.code_rows);
  check.that(reach <= UINT32_MAX, "at most 2^32 - 1 positions", "codes.index", reach);
  check.view("feature_starts", a.feature_starts, {TW_U64, 1, a.features + uint64_t{1}});
  check.view("rows", a.rows, {TW_U32, 1, kAny}).view("slots", a.slots, {TW_U32, 1, kAny});
  check.optional("fired", a.fired, {TW_U32, 1, features});
  if (fires) read_plane(check, "z", a.codes, a.z);
  if (check.status) return check.status;
  const uint64_t positions = ragged ? codes.starts[codes.rows] : codes.rows * codes.width;
  check.that(a.rows.columns >= positions, "room for every position", "rows", a.rows.columns);
  check.that(a.slots.columns >= positions, "room for every position", "slots", a.slots.columns);
  if (check.status) return check.status;

  const size_t most = threads(context), wished = positions / kPositions + 1, blocks = wished < most ? wished : most;
  const size_t items = (features + kFeatures - 1) / kFeatures;
  uint64_t* firsts = static_cast<uint64_t*>(scratch(context, (items + 1) * sizeof(uint64_t) + blocks * features * sizeof(uint32_t)));
  if (!firsts) return fail(context, TW_MEMORY, "no memory for %zu histograms of %zu features", blocks, features);
  const Sort sort{codes, features, blocks, reinterpret_cast<uint32_t*>(firsts + items + 1)};
  const auto end_of = [&](size_t item) { return (item + 1) * kFeatures < features ? (item + 1) * kFeatures : features; };

  each(context, blocks, [&](size_t block, unsigned) { sort.count(block); });
  each(context, items, [&](size_t item, unsigned) { firsts[item] = sort.total(item * kFeatures, end_of(item)); });
  uint64_t next = 0;
  for (size_t item = 0; item < items; item++) {
    const uint64_t many = firsts[item];
    firsts[item] = next;
    next += many;
  }
  uint64_t* starts = u64(a.feature_starts);
  starts[features] = next;
  each(context, items, [&](size_t item, unsigned) { sort.place(item * kFeatures, end_of(item), firsts[item], starts); });
  each(context, blocks, [&](size_t block, unsigned) { sort.write(block, u32(a.rows), u32(a.slots)); });
  if (fires) {
    each(context, items, [&](size_t item, unsigned) {
      for (size_t f = item * kFeatures; f < end_of(item); f++) count_fired(a, f, starts);
    });
  }
  return TW_OK;
}

}   // namespace transweld::TRANSWELD_ISA
