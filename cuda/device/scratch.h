// One scratch block divided: take<T>(count) in turn, each part on 256 bytes of its own. With no block it only counts:
//   Divider counting; Work work = divide(counting, ...);             // how much
//   Divider d{scratch(context, counting.used)}; work = divide(d, ...);  // where
#pragma once
#include "launch.h"

namespace transweld {

struct Divider {
  uintptr_t block = 0;
  size_t used = 0;
  Divider() = default;
  explicit Divider(void* memory) : block(reinterpret_cast<uintptr_t>(memory)) {}
  template <class T> T* take(size_t count) {
    T* part = reinterpret_cast<T*>(block + used);
    used += (count * sizeof(T) + 255) / 256 * 256;
    return part;
  }
};

}   // namespace transweld
