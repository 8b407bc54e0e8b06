// A piece is about a megabyte of whole rows: it is read, checked and converted while the second cache holds it. Memory of the host
// is filled in place by several threads (fresh pages cost as much as the copy); a GPU's through one staging block.
#include "load_bind.h"
#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>
#include "../load_rows.h"
#include "copy_rows.h"
#include "promise_job.h"

namespace transweld {
namespace {

constexpr uint64_t kPieceBytes = 1 << 20, kThreadBytes = 4 << 20;   // a thread more for each of the latter
constexpr unsigned kMostThreads = 4;

struct LoadJob : PromiseJob {
  using PromiseJob::PromiseJob;

  void run() noexcept override {
    Engine& engine = *bound.block->engine;
    try {
      if (engine.late) through_staging(engine);
      else in_place();
    } catch (const std::bad_alloc&) {
      fail(TW_MEMORY, "out of memory for a piece of " + name);
    } catch (const std::exception& error) {
      fail(TW_INTERNAL, error.what());
    } catch (const Fault& fault) {
      fail(fault.failure.status, fault.failure.message);
    }
    for (BoundView* view : {&bound, &scales}) {
      if (!view->block) continue;
      if (failure) view->block->poison = failure;
      else if (view->is_whole) view->block->poison.reset();
    }
  }

  uint64_t piece_rows() const {
    const uint64_t row = from.columns * std::max(tw_dtype_bytes(from.dtype), tw_dtype_bytes(bound.view.dtype));
    const uint64_t rows = std::max<uint64_t>(1, kPieceBytes / (row ? row : 1));
    return rows < 16 ? rows : rows / 16 * 16;
  }

  void in_place() {
    const uint64_t step = piece_rows(), size = dtype_bytes(bound.view.dtype);
    std::atomic<uint64_t> next{0};
    auto work = [&] {
      try {
        RowReader reader(from, bound.view.dtype);
        for (uint64_t first; (first = next.fetch_add(step)) < from.rows && !stopped();) {
          char* out = static_cast<char*>(bound.view.data) + first * bound.view.stride * size;
          float* scale = scales.block ? static_cast<float*>(scales.view.data) + first : nullptr;
          const Loading done = reader.read(first, std::min(step, from.rows - first), out, bound.view.stride, scale);
          if (done != Loading::good) return tell(done, reader);
        }
      } catch (const std::bad_alloc&) { fail(TW_MEMORY, "out of memory for a piece of " + name); }
    };
    const uint64_t wanted = from.rows * from.columns * size / kThreadBytes;
    const unsigned most = std::min(kMostThreads, std::max(1u, std::thread::hardware_concurrency()));
    std::vector<std::thread> others;
    try {
      for (unsigned i = 1; i < most && i < wanted; i++) others.emplace_back(work);
    } catch (const std::system_error&) {}       // a system that gives no more threads: fewer do it
    work();
    for (auto& other : others) other.join();
  }

  void through_staging(Engine& engine) {
    const uint64_t step = std::min(piece_rows(), from.rows ? from.rows : 1), size = dtype_bytes(bound.view.dtype);
    Staging staging(step * from.columns * size), scale(step * sizeof(float));
    RowReader reader(from, bound.view.dtype);
    for (uint64_t first = 0; first < from.rows; first += step) {
      const uint64_t count = std::min(step, from.rows - first);
      const Loading done = reader.read(first, count, staging.data, from.columns, static_cast<float*>(scale.data));
      if (done != Loading::good) return tell(done, reader);
      copy_piece(engine, bound.view, first, count, staging.data);
      if (scales.block) copy_piece(engine, turned_view(scales.view), first, count, scale.data);
      if (failure) return;
    }
  }

  // A row of scales as a column of rows.
  static tw_view turned_view(tw_view v) { return {v.data, v.columns, 1, 1, v.dtype, 0}; }

  void copy_piece(Engine& engine, tw_view view, uint64_t first, uint64_t count, void* from_host) {
    view.data = static_cast<char*>(view.data) + first * view.stride * dtype_bytes(view.dtype);
    view.rows = count;
    if (const tw_status status = copy_rows(engine, view, from_host, TW_TO_DEVICE); status != TW_OK && !failure) failure = copy_failure(engine, "load", status);
  }

  void tell(Loading done, const RowReader& reader) {
    const std::string at = " at index " + std::to_string(reader.element());
    if (done == Loading::not_finite) fail(kNotFinite, name + " holds NaN or infinity" + at);
    else if (done == Loading::too_large) fail(kNotFinite, name + " holds a number" + at + " that is too large for the dtype asked for");
    else if (done == Loading::cut_short) fail(kFormat, name + " is cut short: its file became shorter while it was read");
    else fail(kFile, name + " cannot be read: error " + std::to_string(reader.error()) + " of the system");
  }

  // The first failure stays.
  void fail(tw_status status, const std::string& message) {
    std::lock_guard lock(mutex);
    if (!failure) failure = std::make_shared<const Failure>(Failure{status, message});
    is_failed.store(true, std::memory_order_relaxed);
  }
  bool stopped() const { return is_failed.load(std::memory_order_relaxed) || __atomic_load_n(&bound.block->engine->stop, __ATOMIC_ACQUIRE); }

  FileMatrix from{};
  BoundView bound, scales;
  std::string name;
  std::mutex mutex;
  std::atomic<bool> is_failed{false};
};

std::string text(napi_env env, napi_value value) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) raise(TW_INTERNAL, "expected a name");
  std::string result(length, '\0');
  napi_get_value_string_utf8(env, value, result.data(), length + 1, &length);
  return result;
}

}   // namespace

napi_value load(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    napi_value arguments[4];
    auto& instance = arguments_of(env, info, arguments);
    Device& device = instance.device(number(env, arguments[0]));
    Numbers numbers(env, arguments[1], number(env, arguments[2]));
    BoundView bound = present_view(instance, *device.engine, numbers), scales = read_view(instance, *device.engine, numbers);
    FileMatrix from{};
    from.file = static_cast<int>(numbers.word());
    from.position = numbers.whole();
    from.dtype = numbers.word();
    from.turned = numbers.word() != 0;
    numbers.end();
    from.rows = bound.view.rows;
    from.columns = bound.view.columns;
    const bool is_i8 = bound.view.dtype == TW_I8;
    if (from.dtype > TW_F16 || bound.view.dtype > TW_I8) raise(TW_INVALID, "expected f32, bf16 or f16 of a file, and those or i8 of a tensor");
    if (is_i8 != (scales.block != nullptr) || (is_i8 && (scales.view.dtype != TW_F32 || scales.view.rows != 1 || scales.view.columns != from.rows))) {
      raise(TW_SHAPE, "expected f32 scales [1, rows] with i8, and none else");
    }
    auto job = std::make_unique<LoadJob>(env);
    job->from = from;
    job->bound = std::move(bound);
    job->scales = std::move(scales);
    job->name = text(env, arguments[3]);
    return push_promise(*device.queue, std::move(job));
  });
}

}   // namespace transweld
