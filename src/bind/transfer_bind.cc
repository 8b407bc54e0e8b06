#include "transfer_bind.h"
#include <cstdlib>
#include <cstring>
#include "copy_rows.h"
#include "late.h"
#include "promise_job.h"

namespace transweld {

namespace {

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

}   // namespace

napi_value write(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    napi_value arguments[4];
    auto& instance = arguments_of(env, info, arguments);
    Device& device = instance.device(number(env, arguments[0]));
    BoundView bound = only_view(instance, *device.engine, env, arguments[1], arguments[2]);
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
    BoundView bound = only_view(instance, *device.engine, env, arguments[1], arguments[2]);
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
