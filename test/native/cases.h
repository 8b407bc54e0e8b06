// The file of cases that generate.ts writes: calls of ops with what every view held before and after.
#pragma once
#include <cstddef>
#include <string>
#include <vector>
#include "bind/rows.h"

namespace transweld {

struct Contents {
  const std::byte* data = nullptr;
  uint64_t bytes = 0;
};

constexpr int32_t kPoison = -1;   // before: nothing that may be read
constexpr int32_t kOwn = -2;      // a shadow, in the backend's own layout: the replay makes it
constexpr int32_t kExact = -1;    // near: to the bit

// What one view holds, as indices of contents; in the order of the row's fields, absent views left out.
struct Held {
  int32_t before, after, near;
  uint64_t compared;              // so many elements are specified after the call
};

struct Case {
  const Row* row;
  std::vector<uint64_t> blocks;   // bytes of each
  std::vector<double> numbers;    // as they cross into the addon: a view is six (block, offset, rows, columns, stride, dtype), or −1
  std::vector<Held> views;
};

struct Cases {
  std::vector<std::byte> file;
  std::string bits;               // the class of bits of what stands in `after`
  std::vector<Contents> contents;
  std::vector<Case> list;
};

// Throws std::runtime_error with words for a file that is missing, cut short, or of another contract.
Cases read_cases(const std::string& path);

}   // namespace transweld
