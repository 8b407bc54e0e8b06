#include "floors.h"

#include <algorithm>
#include <chrono>

namespace transweld {
namespace {

constexpr int kRounds = 15, kFewRounds = 5;
constexpr double kLong = 2000;          // ms: a side that takes longer runs in few rounds
constexpr double kBatch = 8;            // ms: calls are enqueued until they take so long, so that waiting does not count
constexpr int kMostRepeats = 500;

double once(Opened& opened, const Side& side, int repeats) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < repeats; i++) side();
  opened.wait();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count() / repeats;
}

}   // namespace

std::vector<double> race(Opened& opened, const std::vector<Side>& sides) {
  std::vector<double> least;
  std::vector<int> repeats;
  for (const Side& side : sides) {
    once(opened, side, 1);
    const double ms = once(opened, side, 2);
    least.push_back(ms);
    repeats.push_back(std::clamp(static_cast<int>(kBatch / std::max(ms, 1e-6)) + 1, 1, kMostRepeats));
  }
  const int rounds = *std::max_element(least.begin(), least.end()) > kLong ? kFewRounds : kRounds;
  for (int round = 0; round < rounds; round++)
    for (size_t i = 0; i < sides.size(); i++) least[i] = std::min(least[i], once(opened, sides[i], repeats[i]));
  return least;
}

double Floors::bandwidth(double bytes) const {
  // What touches less is at least as fast: the best copy of so many bytes or more, or the largest copy.
  double best = copies_.back().bandwidth;
  for (const Copy& copy : copies_) if (copy.bytes >= bytes) best = std::max(best, copy.bandwidth);
  return best;
}

Floors measure_floors(Opened& opened, bool is_slow, double rate) {
  Floors floors;
  for (uint64_t mebibytes : {1, 8, 32, 512}) {                   // read and written together: within caches, beside them, beyond
    Stock stock(opened);
    const uint64_t rows = 256, columns = mebibytes * 512, bytes = 8 * rows * columns;
    if (is_slow && mebibytes > 1) break;
    const tw_view x = stock.zeros(rows, columns), y = stock.zeros(rows, columns);
    const tw_cast_args copy{sizeof copy, 0, x, y};
    floors.saw_copy(static_cast<double>(bytes), race(opened, {[&] { stock.call(&tw_op_table::cast, copy); }})[0]);
  }
  floors.rate = rate / 1e3;
  if (rate > 0) return floors;
  Stock stock(opened);
  const uint64_t M = is_slow ? 64 : 4096, N = is_slow ? 64 : 4096, K = is_slow ? 64 : 1024;
  const tw_view a = stock.normal(M, K), b = stock.normal(N, K), c = stock.room(M, N);
  std::vector<Side> sides;
  std::deque<tw_matmul_args> all;
  for (uint32_t dtype : {TW_F32, TW_BF16, TW_F16}) {
    const auto as = [&](const tw_view& v) { return dtype == TW_F32 ? v : stock.in_dtype(v, dtype); };
    const tw_matmul_args& product = all.emplace_back(tw_matmul_args{sizeof(tw_matmul_args), TW_COLUMNS, TW_LINEAR, 0, TW_EXACT, 0, as(a), as(b), {}, {}, c});
    sides.push_back([&stock, &product] { stock.call(&tw_op_table::matmul, product); });
  }
  const std::vector<double> times = race(opened, sides);
  floors.rate = 2.0 * static_cast<double>(M * N * K) / *std::min_element(times.begin(), times.end());
  return floors;
}

}   // namespace transweld
