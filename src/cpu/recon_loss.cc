// Reconstruction loss and its gradient. Sums over a batch are in double: squares of f32 are exact there, and a variance
// about the mean keeps its digits. Tiles of 256 rows × 256 columns, a tile's columns one by one, tiles in order: the same
// sum for any number of threads.
//   means of y  →  Σ e² and Σ (y − ȳ)² of every tile  →  loss  →  dy
#include "ops.h"
#include "../expect.h"
#include "lanes.h"

namespace transweld::TRANSWELD_ISA {
namespace {

constexpr size_t kTile = 256;
constexpr double kInfinity = __builtin_inf();

struct Tile { size_t row, rows, column, columns; };

struct Grid {
  size_t rows, columns, down, across;
  Grid(size_t r, size_t c) : rows(r), columns(c), down((r + kTile - 1) / kTile), across((c + kTile - 1) / kTile) {}
  size_t tiles() const { return down * across; }
  Tile tile(size_t item) const {
    const size_t r = item / across * kTile, c = item % across * kTile;
    return {r, rows - r < kTile ? rows - r : kTile, c, columns - c < kTile ? columns - c : kTile};
  }
};

double total(const double* list, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += list[i];
  return sum;
}

// sums[column] of a tile's rows of y.
void sum_columns(const tw_view& y, const Tile& t, double* sums) {
  for (size_t c = 0; c < t.columns; c++) sums[c] = 0;
  for (size_t r = t.row; r < t.row + t.rows; r++) {
    const float* from = row(y, r) + t.column;
    for (size_t c = 0; c < t.columns; c++) sums[c] += from[c];
  }
}

// Σ (y − mean)² of a tile.
double spread(const tw_view& y, const double* mean, const Tile& t) {
  double sums[kTile] = {};
  for (size_t r = t.row; r < t.row + t.rows; r++) {
    const float* from = row(y, r) + t.column;
    for (size_t c = 0; c < t.columns; c++) {
      const double d = from[c] - mean[t.column + c];
      sums[c] += d * d;
    }
  }
  return total(sums, t.columns);
}

// Σ (y_hat − y)² of a tile.
double error(const tw_view& y_hat, const tw_view& y, const Tile& t) {
  double sums[kTile] = {};
  for (size_t r = t.row; r < t.row + t.rows; r++) {
    const float *from = row(y_hat, r) + t.column, *to = row(y, r) + t.column;
    for (size_t c = 0; c < t.columns; c++) {
      const double e = from[c] - to[c];
      sums[c] += e * e;
    }
  }
  return total(sums, t.columns);
}

void write_gradient(const tw_recon_loss_args& a, lanes scale, size_t r) {
  const float *from = row(a.y_hat, r), *to = row(a.y, r);
  float* dy = row(a.dy, r);
  sixteens(a.y.columns, [&](size_t k, size_t n) { store_upto(dy + k, scale * (load_upto(from + k, n) - load_upto(to + k, n)), n); });
}

}   // namespace

tw_status recon_loss(tw_context* context, const tw_recon_loss_args& a) {
  const size_t rows = a.y.rows, columns = a.y.columns;
  const Wanted same = {TW_F32, rows, columns};
  Check check{context};
  check.that(a.loss == TW_LOSS_FVU || a.loss == TW_LOSS_SUM_MSE, "FVU (0) or sum of squares (1)", "loss", a.loss);
  check.view("y", a.y, same).view("y_hat", a.y_hat, same).optional("dy", a.dy, same);
  check.view("stats", a.stats, {TW_F32, 1, 8}).optional("variance_of", a.variance_of, {TW_F32, 1, 8}).optional("ok", a.ok, {TW_U32, 1, 1});
  if (check.status) return check.status;
  const Grid grid(rows, columns);
  const bool measures = !has(a.variance_of);
  double* sums = static_cast<double*>(scratch(context, ((grid.down + 1) * columns + 2 * grid.tiles() + 1) * sizeof(double)));
  if (!sums) return fail(context, TW_MEMORY, "no memory for the sums of %zu rows of %zu columns", rows, columns);
  double *mean = sums + grid.down * columns, *errors = mean + columns, *spreads = errors + grid.tiles();

  if (measures) {
    each(context, grid.tiles(), [&](size_t item, unsigned) {
      const Tile t = grid.tile(item);
      sum_columns(a.y, t, sums + item / grid.across * columns + t.column);
    });
    for (size_t c = 0; c < columns; c++) mean[c] = 0;
    for (size_t block = 0; block < grid.down; block++) {
      for (size_t c = 0; c < columns; c++) mean[c] += sums[block * columns + c];
    }
    for (size_t c = 0; c < columns; c++) mean[c] /= static_cast<double>(rows);
  }
  each(context, grid.tiles(), [&](size_t item, unsigned) {
    const Tile t = grid.tile(item);
    errors[item] = error(a.y_hat, a.y, t);
    spreads[item] = measures ? spread(a.y, mean, t) : 0;
  });
  const double s = total(errors, grid.tiles());
  const float v = measures ? static_cast<float>(total(spreads, grid.tiles())) : f32(a.variance_of)[2];
  const double divisor = a.loss == TW_LOSS_FVU ? static_cast<double>(v) : static_cast<double>(rows);
  const float loss = static_cast<float>(a.weight * s / divisor);
  const float stats[8] = {loss, static_cast<float>(s), v, static_cast<float>(rows)};
  memcpy(a.stats.data, stats, sizeof stats);
  if (has(a.ok) && !(__builtin_fabs(static_cast<double>(loss)) < kInfinity)) u32(a.ok)[0] = 0;
  if (has(a.dy)) {
    const lanes scale = splat(static_cast<float>(2 * static_cast<double>(a.weight) / divisor));
    each(context, grid.down * (kTile / 16), [&](size_t item, unsigned) {
      for (size_t r = item * 16; r < rows && r < item * 16 + 16; r++) write_gradient(a, scale, r);
    });
  }
  return TW_OK;
}

}   // namespace transweld::TRANSWELD_ISA
