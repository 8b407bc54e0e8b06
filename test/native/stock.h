// Tensors for measuring: made on the device, freed together.
#pragma once
#include <deque>
#include "device.h"

namespace transweld {

struct Shape {
  const char* name;
  uint64_t N, D, F, K;            // rows, width, features, codes a row
};

struct Major { tw_view feature_starts, rows, slots, fired; };

class Stock {
 public:
  explicit Stock(Opened& opened) : opened(opened) {}

  tw_view room(uint64_t rows, uint64_t columns, uint32_t dtype = TW_F32);
  tw_view normal(uint64_t rows, uint64_t columns, float deviation = 1, float mean = 0);
  tw_view in_dtype(const tw_view& f32, uint32_t dtype);            // a copy in bf16 or f16
  tw_view zeros(uint64_t rows, uint64_t columns);
  tw_view integers(const std::vector<uint32_t>&);
  tw_view below(uint64_t rows, uint64_t columns, uint32_t limit);  // random u32 below the limit
  tw_pattern codes(const Shape&);                                  // fixed, K different features a row
  Major major(const Shape&, const tw_pattern&, const tw_view& z);  // regrouped by feature
  tw_view shadow(uint32_t screen, const tw_view& weight);          // of no columns where there is no such screen

  // Calls an op by its entry: stock.call(&tw_op_table::norm, args).
  template <class Args> void call(tw_op* tw_op_table::*entry, const Args& args) {
    opened.must((opened.table->*entry)(opened.context, &args), "an op");
  }

  Opened& opened;

 private:
  std::deque<Memory> blocks_;
  uint64_t seed_ = 1;
};

}   // namespace transweld
