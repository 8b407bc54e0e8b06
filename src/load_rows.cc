#include "load_rows.h"
#include <errno.h>
#include <unistd.h>
#include <algorithm>
#include <cmath>
#include "narrow.h"
#include "view.h"

namespace transweld {
namespace {

// The first element whose exponent is all ones, or `count`. Looked for by blocks, so that the loop has no branch.
template <class Word, Word kExponent> uint64_t first_infinite(const Word* words, uint64_t count) {
  constexpr uint64_t kBlock = 1024;
  for (uint64_t begin = 0; begin < count; begin += kBlock) {
    const uint64_t end = std::min(begin + kBlock, count);
    bool any = false;
    for (uint64_t i = begin; i < end; i++) any |= (words[i] & kExponent) == kExponent;
    if (!any) continue;
    for (uint64_t i = begin;; i++) if ((words[i] & kExponent) == kExponent) return i;
  }
  return count;
}
uint64_t first_infinite(const void* data, uint64_t count, uint32_t dtype) {
  if (dtype == TW_F32) return first_infinite<uint32_t, 0x7f800000u>(static_cast<const uint32_t*>(data), count);
  if (dtype == TW_BF16) return first_infinite<uint16_t, 0x7f80u>(static_cast<const uint16_t*>(data), count);
  return first_infinite<uint16_t, 0x7c00u>(static_cast<const uint16_t*>(data), count);
}

template <class Out> void narrow_row(const float* from, uint64_t count, Out* to) {
  for (uint64_t i = 0; i < count; i++) narrow(from[i], to[i]);
}

// Integers −127 ... 127, rounded to nearest even, and the scale that makes numbers of them.
float quantise_row(const float* from, uint64_t count, int8_t* to) {
  float most = 0;
  for (uint64_t i = 0; i < count; i++) most = std::max(most, std::fabs(from[i]));
  const float scale = most / 127.0f, inverse = most > 1e-36f ? 127.0f / most : 0;     // below, the quotient would be infinite: they become 0
  for (uint64_t i = 0; i < count; i++) to[i] = static_cast<int8_t>(std::nearbyint(from[i] * inverse));
  return scale;
}

template <class T> T* grown(std::unique_ptr<T[]>& room, uint64_t& size, uint64_t needed) {
  if (size < needed) {
    room.reset(new T[needed]);
    size = needed;
  }
  return room.get();
}

}   // namespace

// `count` rows as the file has them: one stretch, or turned a piece of each of its rows.
Loading RowReader::fetch(uint64_t first, uint64_t count, char* to) {
  const uint64_t size = tw_dtype_bytes(from_.dtype), pieces = from_.turned ? from_.columns : 1;
  const uint64_t bytes = (from_.turned ? count : count * from_.columns) * size;
  for (uint64_t piece = 0; piece < pieces; piece++) {
    const uint64_t at = from_.position + (from_.turned ? piece * from_.rows + first : first * from_.columns) * size;
    for (uint64_t done = 0; done < bytes;) {
      const ssize_t got = pread(from_.file, to + piece * bytes + done, bytes - done, static_cast<off_t>(at + done));
      if (got > 0) { done += static_cast<uint64_t>(got); continue; }
      if (got < 0 && errno == EINTR) continue;
      error_ = errno;
      return got < 0 ? Loading::unreadable : Loading::cut_short;
    }
  }
  const uint64_t elements = count * from_.columns, wrong = first_infinite(to, elements, from_.dtype);
  if (wrong == elements) return Loading::good;
  return from_.turned ? refuse(Loading::not_finite, first + wrong % count, wrong / count)
                      : refuse(Loading::not_finite, first + wrong / from_.columns, wrong % from_.columns);
}

Loading RowReader::refuse(Loading why, uint64_t row, uint64_t column) {
  element_ = from_.turned ? column * from_.rows + row : row * from_.columns + column;
  return why;
}

template <class In> Loading RowReader::convert(uint64_t first, uint64_t count, const In* raw, void* out, uint64_t stride, float* scales) {
  constexpr uint64_t kTogether = 16;     // turned rows that are widened side by side: a line of the file's row
  const uint64_t columns = from_.columns;
  float* wide = grown(wide_, wide_floats_, std::min(kTogether, count) * columns);
  for (uint64_t r = 0; r < count; r += kTogether) {
    const uint64_t rows = std::min(kTogether, count - r);
    if (!from_.turned) for (uint64_t i = 0; i < rows * columns; i++) wide[i] = widen(raw[r * columns + i]);
    else for (uint64_t k = 0; k < columns; k++) for (uint64_t i = 0; i < rows; i++) wide[i * columns + k] = widen(raw[k * count + r + i]);
    for (uint64_t i = 0; i < rows; i++) {
      const float* from = wide + i * columns;
      const uint64_t to = (r + i) * stride;
      if (dtype_ == TW_F32) memcpy(static_cast<float*>(out) + to, from, columns * sizeof(float));
      else if (dtype_ == TW_BF16) narrow_row(from, columns, static_cast<bf16*>(out) + to);
      else if (dtype_ == TW_F16) narrow_row(from, columns, static_cast<f16*>(out) + to);
      else scales[r + i] = quantise_row(from, columns, static_cast<int8_t*>(out) + to);
      if (dtype_ != TW_BF16 && dtype_ != TW_F16) continue;
      const uint64_t wrong = first_infinite(static_cast<uint16_t*>(out) + to, columns, dtype_);
      if (wrong != columns) return refuse(Loading::too_large, first + r + i, wrong);
    }
  }
  return Loading::good;
}

Loading RowReader::read(uint64_t first, uint64_t count, void* out, uint64_t stride, float* scales) {
  const bool as_it_is = dtype_ == from_.dtype && !from_.turned && (stride == from_.columns || count == 1);
  if (as_it_is) return fetch(first, count, static_cast<char*>(out));
  char* raw = grown(raw_, raw_bytes_, count * from_.columns * tw_dtype_bytes(from_.dtype));
  if (const Loading wrong = fetch(first, count, raw); wrong != Loading::good) return wrong;
  if (from_.dtype == TW_F32) return convert(first, count, reinterpret_cast<const float*>(raw), out, stride, scales);
  if (from_.dtype == TW_BF16) return convert(first, count, reinterpret_cast<const bf16*>(raw), out, stride, scales);
  return convert(first, count, reinterpret_cast<const f16*>(raw), out, stride, scales);
}

}   // namespace transweld
