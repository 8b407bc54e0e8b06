// Rows of a matrix in a file, converted on their way into memory: how the weights of a model reach a device. Nothing but the
// rows that are asked for is held. Knows files and bytes; neither models nor Node.
#pragma once
#include <stdint.h>
#include <memory>
#include <string>

namespace transweld {

// A matrix [rows, columns] as it is wanted. The file holds it row by row; turned, it holds [columns, rows].
struct FileMatrix {
  int file;             // open for reading
  uint64_t position;    // of its first byte
  uint32_t dtype;       // TW_F32, TW_BF16 or TW_F16, little-endian
  uint64_t rows, columns;
  bool turned;
};

enum class Loading { good, unreadable, cut_short, not_finite, too_large };

// One thread's reader: its room grows to what `read` is asked for.
class RowReader {
 public:
  // `dtype` of what is wanted: f32, bf16 or f16, rounded to nearest even; or i8 with a scale for each row, largest |x|/127.
  RowReader(const FileMatrix& from, uint32_t dtype) : from_(from), dtype_(dtype) {}

  // Rows first ... first + count − 1 to `out`, `stride` elements apart; `scales` for i8, one a row. NaN, infinities and what is too large
  // for `dtype` are refused.
  Loading read(uint64_t first, uint64_t count, void* out, uint64_t stride, float* scales);

  uint64_t element() const { return element_; }   // of the file's tensor: which was refused
  int error() const { return error_; }            // errno of `unreadable`

 private:
  Loading fetch(uint64_t first, uint64_t count, char* to);
  Loading refuse(Loading why, uint64_t row, uint64_t column);
  template <class In> Loading convert(uint64_t first, uint64_t count, const In* raw, void* out, uint64_t stride, float* scales);

  FileMatrix from_;
  uint32_t dtype_;
  uint64_t element_ = 0;
  int error_ = 0;
  std::unique_ptr<char[]> raw_;
  std::unique_ptr<float[]> wide_;
  uint64_t raw_bytes_ = 0, wide_floats_ = 0;
};

}   // namespace transweld
