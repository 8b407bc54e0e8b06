// --bench: every op and a whole training step, in milliseconds and as a share of what the device could do at best.
#pragma once
#include "floors.h"
#include "options.h"

namespace transweld {

// The exit status. Refuses shapes that a device is too slow or too small for, in words.
int bench(const Options&);

// What is measured together: the sides take turns.
struct Measured {
  std::string what;
  Work work;
  Side side;
};

// Prints a line for each and keeps it for --json. A line that is faster than the fastest product so far raises the floors.
class Report {
 public:
  Report(Opened& opened, const Floors& floors) : opened(opened), floors(floors) {}
  void measure(const Shape&, const std::vector<Measured>&);
  void failed(const Shape&, const char* what, const char* words);
  std::string json() const;

  Opened& opened;
  Floors floors;
  bool has_failed = false;

 private:
  struct Line { std::string shape, what; double milliseconds, floor; };
  std::vector<Line> lines_;
};

void bench_ops(Report&, const Shape&, const std::string& only);
void bench_steps(Report&, const Shape&);

}   // namespace transweld
