// Runs planted faults: driver (faulty|sound) (NAME|all) [DEVICE]. A line for each: `NAME DEVICE right|wrong|refused WORDS`.
// Exit code 0 when all could be run, whatever came of it; a sanitizer's own when that ended it.
#include <cstdlib>
#include <cstring>
#include "../../cuda/device/pipe.h"
#include "faults/fault.h"

namespace sound {
#include "faults/all.h"
}
#define FAULT
namespace faulty {
#include "faults/all.h"
}

namespace {
template <class Cases> int run(const Cases& cases, const char* name, int first, int last) {
  int found = 0;
  for (const auto& one : cases) {
    if (std::strcmp(name, "all") && std::strcmp(name, one.name)) continue;
    for (int device = first; device <= last; device++) {
      cudaSetDevice(device);
      const Outcome outcome = one.run();
      const char* kinds[] = {"right", "wrong", "refused"};
      std::printf("%s %d %s %s\n", one.name, device, kinds[outcome.kind], outcome.text);
      std::fflush(stdout);
      if (outcome.kind == Outcome::kRefused) cudaDeviceReset();
      found++;
    }
  }
  return found ? 0 : 2;
}
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const int first = argc > 3 ? std::atoi(argv[3]) : 0, last = argc > 3 ? first : 2;
  return std::strcmp(argv[1], "faulty") ? run(sound::cases, argv[2], first, last) : run(faulty::cases, argv[2], first, last);
}
