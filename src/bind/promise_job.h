// Jobs that JavaScript awaits, and the arguments of the callbacks that make them.
#pragma once
#include "queue.h"
#include "view_bind.h"

namespace transweld {

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

inline napi_value push_promise(Queue& queue, std::unique_ptr<PromiseJob> job) {
  napi_value promise = job->promise;
  queue.push_awaited(std::move(job));
  return promise;
}

// The arguments of a callback, missing ones undefined.
template <size_t N> Instance& arguments_of(napi_env env, napi_callback_info info, napi_value (&arguments)[N]) {
  size_t count = N;
  void* data;
  napi_get_cb_info(env, info, &count, arguments, nullptr, &data);
  return *static_cast<Instance*>(data);
}

// The next view, which must be there.
inline BoundView present_view(Instance& instance, const Engine& engine, Numbers& numbers) {
  BoundView bound = read_view(instance, engine, numbers);
  if (!bound.block) raise(TW_INTERNAL, "expected a tensor");
  return bound;
}

// The same where a call has nothing but one view.
inline BoundView only_view(Instance& instance, const Engine& engine, napi_env env, napi_value array, napi_value count) {
  Numbers numbers(env, array, number(env, count));
  BoundView bound = present_view(instance, engine, numbers);
  numbers.end();
  return bound;
}

}   // namespace transweld
