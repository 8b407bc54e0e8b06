// What a kernel says when the numbers it was given are wrong: an index beyond its table, starts that do not ascend. A kernel
// checks an index where it reads it, reports, and leaves that element out; nothing outside the views is ever touched. `wait`
// puts the reports into words (context.cu), a call at a time.
#pragma once
#include "launch.h"

namespace transweld {

enum FaultKind : unsigned {
  kFaultNone, kFaultIndex, kFaultStarts, kFaultCapacity, kFaultRows, kFaultSlots, kFaultSubset, kFaultFeatureStarts, kFaultGather, kFaultIds,
  kFaultPlaces, kFaultSequence, kFaultTargets, kFaultTermRoom, kFaultTermRows, kFaultTermSlots,
  kFaultKeyCounts, kFaultKeys, kFaultScatter, kFaultKinds
};

// In device memory, one a context: a slot for each of the last kFaultCalls calls, so that of two calls that fail between two
// waits both are told. An entry is the call's number above 8 bits of kind; all ones: none. `any` is the least of them.
constexpr unsigned kFaultCalls = 4096;
struct Faults {
  unsigned long long any;
  unsigned long long first[kFaultCalls];
  unsigned long long received[kFaultCalls];
};

// What a kernel that reads indices is given.
struct Report {
  Faults* faults;
  unsigned long long call;   // from 1: which call of an op on this context it belongs to

  __device__ void operator()(FaultKind kind, unsigned long long received) const {
    const unsigned long long mine = call << 8 | kind;
    const unsigned slot = call % kFaultCalls;
    if (atomicMin(&faults->first[slot], mine) <= mine) return;
    atomicExch(&faults->received[slot], received);
    atomicMin(&faults->any, mine);
  }
};

}   // namespace transweld
