// What the processor can do, what TRANSWELD_ISA and TRANSWELD_THREADS ask for, and the choice between them.
#include "isa.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif
#include <thread>

namespace transweld {
namespace {

struct Isa { const char* name; const char* bits; bool here; };

#if defined(__x86_64__)
// Leaf 7.1 eax: bit 4 AVX-VNNI, bit 5 AVX512_BF16. (The compiler's own names for these differ between compilers.)
bool leaf7(unsigned bit) {
  unsigned a, b, c, d;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> bit & 1);
}
#endif

// Best last. The compiler's checks include the operating system's: it must save the wide registers.
const Isa* known(size_t& count) {
#if defined(__x86_64__)
  static const Isa list[] = {
    {"baseline", "baseline", true},
    {"avx2", "fma", __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")},
    {"avxvnni", "fma", __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") && leaf7(4)},
    {"avx512", "fma", __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512cd")},
    {"avx512vnni", "fma", __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512vnni") && leaf7(5)},
  };
#else
  static const Isa list[] = {{"baseline", "fma", true}};   // NEON is the baseline of arm64, and has fused multiply-add
#endif
  count = std::size(list);
  return list;
}

IsaChoice choose() {
  IsaChoice choice{};
  size_t count;
  const Isa* list = known(count);
  const char* asked = std::getenv("TRANSWELD_ISA");
  for (size_t i = count; i-- > 0;) {
    if (!list[i].here || (asked && *asked && std::strcmp(asked, list[i].name) != 0)) continue;
    choice.name = list[i].name;
    choice.bits = list[i].bits;
    std::snprintf(choice.why, sizeof choice.why, asked && *asked ? "TRANSWELD_ISA=%s" : "best of this processor: %s", list[i].name);
    return choice;
  }
  char names[128] = "";
  for (size_t i = 0; i < count; i++)
    if (list[i].here) std::snprintf(names + std::strlen(names), sizeof names - std::strlen(names), "%s%s", *names ? ", " : "", list[i].name);
  std::snprintf(choice.why, sizeof choice.why, "expected one of %s for TRANSWELD_ISA but received \"%.60s\"", names, asked);
  return choice;
}

}   // namespace

const IsaChoice& isa_choice() {
  static const IsaChoice choice = choose();
  return choice;
}

unsigned thread_choice(char* why, unsigned why_bytes) {
  constexpr unsigned kMost = 256;
  if (const char* asked = std::getenv("TRANSWELD_THREADS"); asked && *asked) {
    char* end;
    const unsigned long n = std::strtoul(asked, &end, 10);
    if (*end == '\0' && n >= 1 && n <= kMost) return static_cast<unsigned>(n);
    std::snprintf(why, why_bytes, "expected an integer from 1 to %u for TRANSWELD_THREADS but received \"%.60s\"", kMost, asked);
    return 0;
  }
#if defined(__linux__)
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) return static_cast<unsigned>(CPU_COUNT(&mask));
#endif
  const unsigned n = std::thread::hardware_concurrency();
  return n ? n : 1;
}

}   // namespace transweld
