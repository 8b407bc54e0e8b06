// Checks of the emulation itself: each is a function that says what is wrong, or nothing. A line `ok NAME` or `FAILED NAME: WORDS`
// for each of them and each device.
#pragma once
#include <cstdio>
#include <string>
#include <vector>
#include "../../../cuda/device/launch.h"

using Words = std::string;
struct Check {
  const char* name;
  Words (*run)(int device);
};

inline Words refused(cudaError_t error) {
  return error == cudaSuccess ? Words() : Words(cudaGetErrorName(error)) + ": " + cudaGetErrorString(error);
}

// Memory of the current device, as the host sees it.
template <class T> struct Numbers {
  explicit Numbers(unsigned count) : count(count) { cudaMalloc(&data, count * sizeof(T)); }
  ~Numbers() { cudaFree(data); }
  Numbers(const Numbers&) = delete;
  T& operator[](unsigned i) { return data[i]; }
  T* data = nullptr;
  unsigned count;
};

template <class T> T* argument(Numbers<T>& numbers) { return numbers.data; }
template <class T> T argument(const T& value) { return value; }
template <class... P, class... A> Words run(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes, A&&... args) {
  return refused(transweld::launch(kernel, grid, block, shared_bytes, nullptr, argument(args)...));
}

template <class T> Words unequal(const char* what, unsigned i, T got, T want) {
  return Words(what) + ": element " + std::to_string(i) + " is " + std::to_string(got) + ", not " + std::to_string(want);
}

template <class T, class Want> Words compare(const char* what, Numbers<T>& got, Want want) {
  for (unsigned i = 0; i < got.count; i++) {
    const T expected = static_cast<T>(want(i));
    if (got[i] != expected) return unequal(what, i, got[i], expected);
  }
  return {};
}

// A fixed sequence of small numbers.
inline uint32_t scrambled(uint32_t i) {
  i = (i ^ 61 ^ i >> 16) * 9;
  return (i ^ i >> 4) * 0x27d4eb2d >> 8;
}
