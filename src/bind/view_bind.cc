#include "view_bind.h"

namespace transweld {

uint64_t dtype_bytes(uint32_t dtype) {
  const uint64_t bytes = tw_dtype_bytes(dtype);
  if (!bytes) raise(TW_INVALID, "no such dtype: " + std::to_string(dtype));
  return bytes;
}

BoundView read_view(Instance& instance, const Engine& engine, Numbers& numbers) {
  BoundView bound;
  double id = numbers.next();
  if (id < 0) return bound;
  bound.block = instance.block(id);
  if (bound.block->engine.get() != &engine) raise(kOtherDevice, "expected tensors of one device in a call but received tensors of two");
  const uint64_t offset = numbers.whole(), rows = numbers.whole(), columns = numbers.whole(), stride = numbers.whole();
  const uint32_t dtype = numbers.word();
  const uint64_t size = dtype_bytes(dtype), capacity = bound.block->bytes / size;
  // Without overflow: each factor is compared with what is left, never multiplied first.
  bool fits = columns <= stride && offset <= capacity;
  if (fits && rows && columns) {
    uint64_t left = capacity - offset;
    fits = columns <= left && (rows == 1 || (left - columns) / stride >= rows - 1);
  }
  if (!fits) {
    raise(TW_SHAPE, "expected a view inside its block of " + std::to_string(capacity) + " elements but received " + std::to_string(rows) +
                        " rows of " + std::to_string(columns) + " columns, stride " + std::to_string(stride) + ", from " + std::to_string(offset));
  }
  bound.view = {static_cast<char*>(bound.block->data) + offset * size, rows, columns, stride, dtype, 0};
  bound.is_whole = offset == 0 && (rows <= 1 || columns == stride) && rows * columns * size == bound.block->bytes;
  return bound;
}

// Two rectangles where the strides agree and no row wraps; else two ranges of bytes.
bool overlaps(const tw_view& a, const tw_view& b) {
  if (!a.rows || !a.columns || !b.rows || !b.columns) return false;
  const auto size_a = dtype_bytes(a.dtype), size_b = dtype_bytes(b.dtype);
  const auto from_a = reinterpret_cast<uintptr_t>(a.data), from_b = reinterpret_cast<uintptr_t>(b.data);
  const auto to_a = from_a + ((a.rows - 1) * a.stride + a.columns) * size_a;
  const auto to_b = from_b + ((b.rows - 1) * b.stride + b.columns) * size_b;
  if (to_a <= from_b || to_b <= from_a) return false;
  const uint64_t pitch = a.stride * size_a;
  if (pitch != b.stride * size_b) return true;
  // Same pitch: the later one starts this many bytes into a row of the earlier one.
  const bool a_first = from_a <= from_b;
  const uint64_t shift = (a_first ? from_b - from_a : from_a - from_b) % pitch;
  const uint64_t first = (a_first ? a.columns * size_a : b.columns * size_b), second = (a_first ? b.columns * size_b : a.columns * size_a);
  return shift < first || shift + second > pitch;
}

}   // namespace transweld
