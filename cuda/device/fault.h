// What a kernel says when the numbers it was given are wrong: an index beyond its table, starts that do not ascend. A kernel
// checks an index where it reads it, reports, and leaves that element out; nothing outside the views is ever touched. The
// first call that reported wins; `wait` puts it into words (context.cu).
#pragma once
#include "launch.h"

namespace transweld {

enum FaultKind : unsigned {
  kFaultNone, kFaultIndex, kFaultStarts, kFaultCapacity, kFaultRows, kFaultSlots, kFaultSubset, kFaultFeatureStarts, kFaultGather, kFaultIds,
  kFaultPlaces, kFaultSequence, kFaultTargets, kFaultTermRoom, kFaultTermRows, kFaultTermSlots, kFaultKinds
};

// In device memory, one a context. first: call number above 8 bits of kind, all ones while there is none.
struct Faults {
  unsigned long long first;
  unsigned long long received[kFaultKinds];
};

// What a kernel that reads indices is given.
struct Report {
  Faults* faults;
  unsigned long long call;   // from 1: which call of an op on this context it belongs to

  __device__ void operator()(FaultKind kind, unsigned long long received) const {
    const unsigned long long mine = call << 8 | kind;
    if (atomicMin(&faults->first, mine) > mine) atomicExch(&faults->received[kind], received);
  }
};

}   // namespace transweld
