// What a planted fault is made of: a kernel, its input, the plain result. Each file of this folder is compiled twice, with the
// fault (FAULT defined) and without it: the control, which every tool must find clean.
#pragma once
#include <cstdio>
#include "../../../cuda/device/launch.h"

struct Outcome {
  enum Kind { kRight, kWrong, kRefused } kind;
  char text[1200];
};

// Device memory, which the host may touch here.
template <class T> struct Array {
  explicit Array(unsigned count) : count(count) { cudaMalloc(&data, count * sizeof(T)); }
  ~Array() { cudaFree(data); }
  Array(const Array&) = delete;
  T& operator[](unsigned i) { return data[i]; }
  T* data = nullptr;
  unsigned count;
};

// The outcome of a launch whose result ought to be want(i).
template <class T, class Want> Outcome judge(cudaError_t error, Array<T>& out, Want want) {
  Outcome outcome{Outcome::kRight, ""};
  if (error == cudaSuccess) error = cudaDeviceSynchronize();
  if (error != cudaSuccess) {
    outcome.kind = Outcome::kRefused;
    std::snprintf(outcome.text, sizeof outcome.text, "%s: %s", cudaGetErrorName(error), cudaGetErrorString(error));
    return outcome;
  }
  for (unsigned i = 0; i < out.count; i++) {
    if (out[i] == static_cast<T>(want(i))) continue;
    outcome.kind = Outcome::kWrong;
    std::snprintf(outcome.text, sizeof outcome.text, "element %u is %g, not %g", i, static_cast<double>(out[i]), static_cast<double>(want(i)));
    break;
  }
  return outcome;
}
