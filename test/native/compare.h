// Holds one view's elements against what they should be: to the bit, or within bounds.
#pragma once
#include "cases.h"

namespace transweld {

// Bytes of one element that no op may read: NaN spoils any sum, and as an index it is out of every range.
const std::byte* poison_of(uint32_t dtype);

// What is wrong with `count` elements, dense and row-major, in words; "" where nothing is. All NaN are the same NaN.
std::string differs(uint32_t dtype, const std::byte* actual, const std::byte* wanted, uint64_t count);

// The same for f32 with {truth, allowed} of each element: test/native/generate.ts says what they mean.
std::string differs_near(const std::byte* actual, const std::byte* bounds, uint64_t count);

double element(uint32_t dtype, const std::byte* at);

}   // namespace transweld
