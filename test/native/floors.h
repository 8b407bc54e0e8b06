// How long work takes at least on this device: operations at the rate of its fastest product, bytes at the bandwidth of a copy that
// moves as many, both measured in the same run. And how long a call took: the least of many rounds in which all sides take turns.
#pragma once
#include <functional>
#include <vector>
#include "stock.h"

namespace transweld {

struct Work {
  double operations = 0;          // a multiply and an add are two
  double bytes = 0;               // read or written once
};

class Floors {
 public:
  double rate = 0;                // operations a millisecond
  double bandwidth(double bytes) const;         // bytes a millisecond of work that touches so many: caches are faster than memory
  double milliseconds(const Work& work) const { return work.operations / rate + work.bytes / bandwidth(work.bytes); }
  void saw_copy(double bytes, double milliseconds) { copies_.push_back({bytes, bytes / milliseconds}); }

 private:
  struct Copy { double bytes, bandwidth; };
  std::vector<Copy> copies_;      // ascending in bytes
};

// rate: the vendor's, in operations a second; 0: that of the table's own fastest product, here or in what is measured later.
Floors measure_floors(Opened&, bool is_slow, double rate);

using Side = std::function<void()>;   // enqueues one call

// Milliseconds a call of each side: least of at least 15 rounds after a warm-up.
std::vector<double> race(Opened&, const std::vector<Side>&);

}   // namespace transweld
