#include "transfer_bind.h"
#include <cstdlib>
#include <cstring>
#include "late.h"
#include "view_bind.h"

namespace transweld {

namespace {

// Memory that is not cleared: a large block's pages are touched once, by the copy.
struct Staging {
  explicit Staging(uint64_t bytes) : data(std::malloc(bytes ? bytes : 1)) {
    if (!data) raise(TW_MEMORY, "expected room for a copy of " + std::to_string(bytes) + " bytes but the system has none");
  }
  ~Staging() { std::free(data); }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  void* data;
};

// Between a view and dense rows; one copy where the view is dense too.
tw_status copy_rows(Engine& engine, const tw_view& view, void* dense, uint32_t direction) {
  const uint64_t size = dtype_bytes(view.dtype), row = view.columns * size, pitch = view.stride * size;
  const bool is_dense = row == pitch || view.rows == 1;
  const uint64_t pieces = is_dense ? (view.rows ? 1 : 0) : view.rows, bytes = is_dense ? view.rows * row : row;
  for (uint64_t i = 0; i < pieces && bytes; i++) {
    void* there = static_cast<char*>(view.data) + i * pitch;
    void* here = static_cast<char*>(dense) + i * row;
    const bool is_write = direction == TW_TO_DEVICE;
    tw_status status = engine.table->copy(engine.context, is_write ? there : here, is_write ? here : there, bytes, direction);
    if (status != TW_OK) return status;
  }
  return TW_OK;
}

Poison copy_failure(Engine& engine, const char* verb, tw_status status) {
  const char* words = engine.table->last_error(engine.context);
  return std::make_shared<const Failure>(Failure{status, std::string(verb) + " failed: " + (words && *words ? words : "status " + std::to_string(status))});
}

// All that was enqueued has run; failures of single ops lie in their blocks now. What is returned concerns the whole device.
Poison settled(Engine& engine) { return engine.late ? engine.late->settle(engine) : nullptr; }

void write_now(const BoundView& bound, void* dense) {
  Engine& engine = *bound.block->engine;
  tw_status status = copy_rows(engine, bound.view, dense, TW_TO_DEVICE);
  if (status != TW_OK) bound.block->poison = copy_failure(engine, "write", status);
  else if (bound.is_whole) bound.block->poison.reset();
}

struct WriteJob : Job {
  WriteJob(BoundView bound, uint64_t bytes) : bound(std::move(bound)), staging(bytes) {}
  void run() noexcept override { write_now(bound, staging.data); }
  BoundView bound;
  Staging staging;
};

// Settles its promise with a value or a failure.
struct PromiseJob : AwaitedJob {
  explicit PromiseJob(napi_env env) { napi_create_promise(env, &deferred, &promise); }
  void settle(napi_env env, const Failure* dropped) override {
    const Failure* wrong = dropped ? dropped : failure.get();
    if (!wrong) napi_resolve_deferred(env, deferred, result(env));
    else napi_reject_deferred(env, deferred, error_of(env, *wrong));
  }
  virtual napi_value result(napi_env env) {
    napi_value nothing;
    napi_get_undefined(env, &nothing);
    return nothing;
  }
  napi_deferred deferred;
  napi_value promise;     // valid until the call that made it returns
  Poison failure;
};

struct ReadJob : PromiseJob {
  ReadJob(napi_env env, BoundView bound, uint64_t bytes) : PromiseJob(env), bound(std::move(bound)), bytes(bytes) {}
  void run() noexcept override {
    Engine& engine = *bound.block->engine;
    failure = bound.block->poison;
    if (failure) return;
    staging.reset(std::malloc(bytes ? bytes : 1));
    if (!staging) {
      failure = std::make_shared<const Failure>(Failure{TW_MEMORY, "expected room for a copy of " + std::to_string(bytes) + " bytes but the system has none"});
      return;
    }
    const tw_status status = copy_rows(engine, bound.view, staging.get(), TW_FROM_DEVICE);
    if (status != TW_OK) failure = copy_failure(engine, "read", status);
    else if (!(failure = settled(engine))) failure = bound.block->poison;
  }
  napi_value result(napi_env env) override {
    void* data;
    napi_value buffer;
    if (napi_create_arraybuffer(env, bytes, &data, &buffer) != napi_ok) return PromiseJob::result(env);
    if (bytes) std::memcpy(data, staging.get(), bytes);
    return buffer;
  }
  struct Free { void operator()(void* data) const { std::free(data); } };
  BoundView bound;
  uint64_t bytes;
  std::unique_ptr<void, Free> staging;
};

struct WaitJob : PromiseJob {
  WaitJob(napi_env env, std::shared_ptr<Engine> engine) : PromiseJob(env), engine(std::move(engine)) {}
  void run() noexcept override {
    failure = settled(*engine);
  }
  std::shared_ptr<Engine> engine;
};

// The arguments of a callback, missing ones undefined.
template <size_t N> Instance& arguments_of(napi_env env, napi_callback_info info, napi_value (&arguments)[N]) {
  size_t count = N;
  void* data;
  napi_get_cb_info(env, info, &count, arguments, nullptr, &data);
  return *static_cast<Instance*>(data);
}

BoundView present_view(Instance& instance, const Engine& engine, napi_env env, napi_value array, napi_value count) {
  Numbers numbers(env, array, number(env, count));
  BoundView bound = read_view(instance, engine, numbers);
  numbers.end();
  if (!bound.block) raise(TW_INTERNAL, "expected a tensor");
  return bound;
}

napi_value push_promise(Queue& queue, std::unique_ptr<PromiseJob> job) {
  napi_value promise = job->promise;
  queue.push_awaited(std::move(job));
  return promise;
}

}   // namespace

napi_value write(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    napi_value arguments[4];
    auto& instance = arguments_of(env, info, arguments);
    Device& device = instance.device(number(env, arguments[0]));
    BoundView bound = present_view(instance, *device.engine, env, arguments[1], arguments[2]);
    napi_typedarray_type type;
    size_t length = 0;
    void* source = nullptr;
    if (napi_get_typedarray_info(env, arguments[3], &type, &length, &source, nullptr, nullptr) != napi_ok)
      raise(TW_INTERNAL, "expected a typed array");
    if (length != bound.view.rows * bound.view.columns) raise(TW_SHAPE, "expected as many elements as the tensor has");
    // A busy queue gets a copy; an idle one lends its context, which nobody else uses then.
    const uint64_t bytes = length * dtype_bytes(bound.view.dtype);
    if (device.queue->is_idle()) {
      write_now(bound, source);
      return nullptr;
    }
    auto job = std::make_unique<WriteJob>(std::move(bound), bytes);
    if (bytes) std::memcpy(job->staging.data, source, bytes);
    device.queue->push(std::move(job));
    return nullptr;
  });
}

napi_value read(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    napi_value arguments[3];
    auto& instance = arguments_of(env, info, arguments);
    Device& device = instance.device(number(env, arguments[0]));
    BoundView bound = present_view(instance, *device.engine, env, arguments[1], arguments[2]);
    const uint64_t bytes = bound.view.rows * bound.view.columns * dtype_bytes(bound.view.dtype);
    return push_promise(*device.queue, std::make_unique<ReadJob>(env, std::move(bound), bytes));
  });
}

napi_value wait(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    napi_value arguments[1];
    auto& instance = arguments_of(env, info, arguments);
    Device& device = instance.device(number(env, arguments[0]));
    return push_promise(*device.queue, std::make_unique<WaitJob>(env, device.engine));
  });
}

}   // namespace transweld
