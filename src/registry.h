// Which backends there are: the CPU's table is linked in, any other comes from a library. Knows nothing of JavaScript.
#pragma once
#include <string>
#include <vector>
#include "op_table.h"

namespace transweld {

// A table, or why there is none.
struct Backend {
  const tw_op_table* table = nullptr;
  std::string reason;
};

// An empty path is the CPU backend inside this library.
Backend find_backend(const std::string& path);

struct Listing {
  std::vector<tw_device> devices;
  std::string why;   // why there are none, or fewer than expected
};

Listing list_devices(const tw_op_table&);

}   // namespace transweld
