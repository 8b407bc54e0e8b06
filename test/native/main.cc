// transweld_native: proves or times any table of ops in a process without Node.
//
// The CPU's pool of threads is made once in a process, so each number of threads is a child of its own; a child that dies
// is a failure. A library's device runs in this very process, where a debugger or compute-sanitizer sees it.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "options.h"
#include "replay.h"

namespace transweld {
namespace {

struct Sums { uint64_t passed = 0, failed = 0, skipped = 0; };

// Fails no more than once an op in words: the first difference is the one to look at.
Sums replay_all(const Options& options, const Cases& cases) {
  Opened opened(options.library, options.device);
  const bool is_cuda = std::strncmp(opened.info.bits, "cuda", 4) == 0;
  if (!is_cuda && cases.bits != opened.info.bits)
    throw std::runtime_error(text("the cases hold the bits of class %s, %s has class %s: TRANSWELD_ISA at their generation decides", cases.bits.c_str(),
                                  opened.info.name, opened.info.bits));
  std::printf("%s, %s, bits %s\n", opened.info.name, opened.info.code, opened.info.bits);
  Replay replay(cases, opened, options.spoil);
  Sums all;
  for (uint32_t op = 0; op < kRowCount; op++) {
    const Row& row = kRows[op];
    if (std::string(row.name).find(options.only) == std::string::npos) continue;
    Sums sums;
    std::string first, why;
    const auto start = std::chrono::steady_clock::now();
    for (size_t i = 0; i < cases.list.size(); i++) {
      if (cases.list[i].row != &row) continue;
      const Outcome outcome = replay.run(cases.list[i]);
      (outcome.verdict == Verdict::kPassed ? sums.passed : outcome.verdict == Verdict::kFailed ? sums.failed : sums.skipped)++;
      if (outcome.verdict == Verdict::kFailed && first.empty()) first = text("  case %zu: ", i) + outcome.words + "\n";
      if (outcome.verdict == Verdict::kSkipped && why.empty()) why = "  skipped: " + outcome.words + "\n";
    }
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    const size_t count = sums.passed + sums.failed + sums.skipped;
    std::printf("%-14s %5zu cases  %s  %9.1f ms\n%s%s", row.name, count,
                sums.failed ? text("%zu FAILED", static_cast<size_t>(sums.failed)).c_str() : "passed", took.count(), first.c_str(), why.c_str());
    if (count == 0) std::printf("  FAILED: the file of cases has none of this op\n");
    std::fflush(stdout);
    all.passed += sums.passed;
    all.failed += sums.failed + (count == 0);
    all.skipped += sums.skipped;
  }
  return all;
}

// The same in a child with so many threads.
Sums replay_in_child(const Options& options, const Cases& cases, const std::string& threads) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("no pipe to be had");
  std::printf("\n%s thread%s\n", threads.c_str(), threads == "1" ? "" : "s");
  std::fflush(stdout);
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("no process to be had");
  if (child == 0) {
    setenv("TRANSWELD_THREADS", threads.c_str(), 1);
    Sums sums{0, 1, 0};
    try {
      sums = replay_all(options, cases);
    } catch (const std::exception& error) {
      std::printf("%s\n", error.what());
    }
    const bool told = write(ends[1], &sums, sizeof sums) == sizeof sums;
    std::exit(told ? 0 : 1);                                     // regular: a sanitizer reports at the end of a process
  }
  close(ends[1]);
  Sums sums;
  const bool told = read(ends[0], &sums, sizeof sums) == sizeof sums;
  close(ends[0]);
  int status;
  waitpid(child, &status, 0);
  if (!told || status != 0) {
    std::printf("FAILED: the process with %s threads ended with status %d\n", threads.c_str(), status);
    sums.failed++;
  }
  return sums;
}

int run(int count, char** words) {
  const Options options = read_options(count, words);
  if (std::none_of(kRows, kRows + kRowCount, [&](const Row& row) { return std::string(row.name).find(options.only) != std::string::npos; }))
    throw std::runtime_error("expected a part of an op's name for --only but received " + options.only);
  if (options.bench) return bench(options);
  const Cases cases = read_cases(options.cases);
  Sums all;
  if (!options.library.empty()) all = replay_all(options, cases);
  for (const std::string& threads : options.threads) {
    if (!options.library.empty()) break;
    const Sums sums = replay_in_child(options, cases, threads);
    all.passed += sums.passed;
    all.failed += sums.failed;
    all.skipped += sums.skipped;
  }
  std::printf("\n%zu passed, %zu failed, %zu skipped\n", static_cast<size_t>(all.passed), static_cast<size_t>(all.failed), static_cast<size_t>(all.skipped));
  return all.failed || !all.passed ? 1 : 0;
}

}   // namespace
}   // namespace transweld

int main(int count, char** words) {
  try {
    return transweld::run(count, words);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
