// The command line of transweld_native.
#pragma once
#include <string>
#include <vector>

namespace transweld {

struct Options {
  std::string library;                          // "": the CPU, linked in
  unsigned device = 0;
  std::string only;                             // a part of an op's name
  std::vector<std::string> threads{"1", "2", "3"};   // of the CPU, each in a process of its own
  unsigned long spoil = 0;
  bool bench = false;
  std::string shape;                            // a part of a shape's name
  double rate = 0;                              // operations a second of the vendor's fastest product
  std::string json;
  std::string cases;
};

// Throws std::runtime_error with the usage.
Options read_options(int count, char** words);

}   // namespace transweld
