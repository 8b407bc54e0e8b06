#include "options.h"

#include <cstdlib>
#include <stdexcept>

namespace transweld {
namespace {

constexpr const char* kUsage =
    "usage: transweld_native [options] CASES_FILE          replays the cases; fails where a result is wrong\n"
    "       transweld_native [options] --bench             times every op and a training step beside their floors\n"
    "  --library PATH   a backend's library; without it the CPU\n"
    "  --device N       of that library; 0\n"
    "  --only PART      ops whose name has this part\n"
    "  --threads LIST   of the CPU, each in a process of its own; 1,2,3 (--bench: as TRANSWELD_THREADS says)\n"
    "  --spoil N        makes the N-th expected result wrong by a bit: the run must fail\n"
    "  --shape PART     --bench: shapes whose name has this part\n"
    "  --rate TFLOPS    --bench: the vendor's fastest product here (bench/gpu/vendor.py), for floors\n"
    "  --json FILE      writes what was measured";

double number(const std::string& option, const std::string& word) {
  char* end;
  const double value = std::strtod(word.c_str(), &end);
  if (word.empty() || *end || !(value >= 0)) throw std::runtime_error("expected a number of at least 0 for " + option + " but received \"" + word + "\"");
  return value;
}

std::vector<std::string> parts(const std::string& list) {
  std::vector<std::string> found;
  for (size_t from = 0, to; from <= list.size(); from = to + 1) {
    to = std::min(list.find(',', from), list.size());
    found.push_back(list.substr(from, to - from));
  }
  return found;
}

}   // namespace

Options read_options(int count, char** words) {
  Options o;
  for (int i = 1; i < count; i++) {
    const std::string word = words[i];
    const auto next = [&]() -> std::string {
      if (i + 1 >= count) throw std::runtime_error("expected something after " + word + "\n" + kUsage);
      return words[++i];
    };
    if (word == "--library") o.library = next();
    else if (word == "--device") o.device = static_cast<unsigned>(number(word, next()));
    else if (word == "--only") o.only = next();
    else if (word == "--threads") o.threads = parts(next());
    else if (word == "--spoil") o.spoil = static_cast<unsigned long>(number(word, next()));
    else if (word == "--bench") o.bench = true;
    else if (word == "--shape") o.shape = next();
    else if (word == "--rate") o.rate = number(word, next()) * 1e12;
    else if (word == "--json") o.json = next();
    else if (word.starts_with("-") || !o.cases.empty()) throw std::runtime_error("unexpected " + word + "\n" + kUsage);
    else o.cases = word;
  }
  if (o.cases.empty() != o.bench) throw std::runtime_error(kUsage);
  return o;
}

}   // namespace transweld
