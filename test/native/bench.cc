#include "bench.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace transweld {
namespace {

// A small model's layer, then three that sparse autoencoders are trained on; the small ones suit the CPU and the emulation.
constexpr Shape kShapes[] = {
  {"tiny", 64, 48, 256, 8}, {"small", 512, 192, 2048, 16},
  {"gpt2", 8192, 768, 24576, 32}, {"wide", 16384, 2304, 65536, 64}, {"deep", 4096, 4096, 131072, 64},
};
constexpr uint64_t kMostOfEmulation = 64;      // rows: a kernel run by the CPU takes a thousand times as long
constexpr uint64_t kMostOfCpu = 512;           // without --shape

// Three steps with two weights, two moments each, and shadows; and the largest product [N, F].
double bytes_of(const Shape& s) {
  return static_cast<double>(s.F * s.D) * (3 * 2 * 12 + 4) + 4.0 * static_cast<double>(s.N * s.F + 8 * s.N * s.D);
}

std::string words(const Shape& s) {
  return text("%s: N %zu, D %zu, F %zu, K %zu", s.name, static_cast<size_t>(s.N), static_cast<size_t>(s.D), static_cast<size_t>(s.F), static_cast<size_t>(s.K));
}

}   // namespace

void Report::measure(const Shape& shape, const std::vector<Measured>& together) {
  std::vector<Side> sides;
  for (const Measured& one : together) sides.push_back(one.side);
  const std::vector<double> times = race(opened, sides);
  for (size_t i = 0; i < together.size(); i++) floors.rate = std::max(floors.rate, together[i].work.operations / times[i]);
  for (size_t i = 0; i < together.size(); i++) {
    const Work& work = together[i].work;
    const double floor = floors.milliseconds(work);
    const bool is_product = work.operations / floors.rate > work.bytes / floors.bandwidth(work.bytes);
    const std::string speed = is_product ? text("%9.2f TFLOP/s", work.operations / times[i] / 1e9) : text("%9.1f GB/s   ", work.bytes / times[i] / 1e6);
    std::printf("  %-30s %11.4f ms  %s  floor %10.4f ms  %5.1f %%\n", together[i].what.c_str(), times[i], speed.c_str(), floor,
                100 * floor / times[i]);
    std::fflush(stdout);
    lines_.push_back({shape.name, together[i].what, times[i], floor});
  }
}

void Report::failed(const Shape&, const char* what, const char* words) {
  std::printf("  %-30s FAILED: %s\n", what, words);
  has_failed = true;
}

std::string Report::json() const {
  std::string all = text("{\n  \"device\": \"%s\",\n  \"code\": \"%s\",\n  \"teraflopsPerSecond\": %.4g,\n  \"gigabytesPerSecond\": %.4g,\n  \"rows\": [",
                         opened.info.name, opened.info.code, floors.rate / 1e9, floors.bandwidth(1e12) / 1e6);
  for (const Line& line : lines_)
    all += text("%s\n    {\"shape\": \"%s\", \"what\": \"%s\", \"milliseconds\": %.6g, \"floorMilliseconds\": %.6g}", &line == &lines_.front() ? "" : ",",
                line.shape.c_str(), line.what.c_str(), line.milliseconds, line.floor);
  return all + "\n  ]\n}\n";
}

int bench(const Options& options) {
  const auto is_asked = [&](const Shape& shape) { return std::string(shape.name).find(options.shape) != std::string::npos; };
  if (std::none_of(std::begin(kShapes), std::end(kShapes), is_asked)) {
    std::string names;
    for (const Shape& shape : kShapes) names += std::string(names.empty() ? "" : ", ") + shape.name;
    throw std::runtime_error("expected a part of " + names + " for --shape but received " + options.shape);
  }
  Opened opened(options.library, options.device);
  const bool is_emulation = std::strncmp(opened.info.bits, "cuda-host", 9) == 0, is_cuda = std::strncmp(opened.info.bits, "cuda", 4) == 0;
  const Floors floors = measure_floors(opened, is_emulation, options.rate);
  std::printf("%s, %s: fastest product %.3f TFLOP/s%s, copies %.1f GB/s\n", opened.info.name, opened.info.code, floors.rate / 1e9,
              options.rate > 0 ? " (given)" : "", floors.bandwidth(1e12) / 1e6);
  Report report(opened, floors);
  for (const Shape& shape : kShapes) {
    if (!is_asked(shape)) continue;
    std::printf("\n%s\n", words(shape).c_str());
    const bool is_refused = is_emulation && shape.N > kMostOfEmulation, is_left_out = !is_cuda && options.shape.empty() && shape.N > kMostOfCpu;
    if (is_refused) std::printf("  refused: the emulation of a GPU would take hours\n");
    else if (is_left_out) std::printf("  left out on a CPU: --shape %s measures it\n", shape.name);
    else if (bytes_of(shape) > 0.9 * static_cast<double>(opened.info.memory_bytes)) std::printf("  refused: needs %.1f GB\n", bytes_of(shape) / 1e9);
    else {
      bench_ops(report, shape, options.only);
      if (options.only.empty()) bench_steps(report, shape);
    }
  }
  if (!options.json.empty() && !(std::ofstream(options.json) << report.json())) throw std::runtime_error(options.json + " cannot be written");
  return report.has_failed ? 1 : 0;
}

}   // namespace transweld
