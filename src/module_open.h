// The only place that knows how a shared library is opened.
#pragma once
#include <string>

namespace transweld {

// A symbol of a library, or why there is none, in the loader's own words.
struct Module {
  void* symbol = nullptr;
  std::string reason;
};

// The library stays loaded for good: its threads and finalizers may outlive whoever opened it.
Module module_open(const std::string& path, const char* symbol);

}   // namespace transweld
