// Runs every check on every device.
#include "checks.h"

int main() {
  const Check checks[] = {
    {"shuffles", shuffles}, {"votes", votes}, {"halves", halves}, {"fragments", fragments}, {"warpgroup", warpgroup}, {"orders", orders},
    {"coordinates", coordinates}, {"named", named}, {"copies", copies}, {"pipeline", pipeline}, {"atomics", atomics},
    {"arithmetic", arithmetic}, {"memory", memory}, {"limits", limits}, {"failure", failure}, {"contexts", contexts},
  };
  for (const Check& check : checks) {
    for (int device = 0; device < 3; device++) {
      cudaSetDevice(device);
      const Words words = check.run(device);
      if (words.empty()) std::printf("ok %s %d\n", check.name, device);
      else std::printf("FAILED %s %d: %s\n", check.name, device, words.c_str());
    }
  }
}
