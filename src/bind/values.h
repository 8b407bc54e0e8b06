// Numbers and errors on their way across: the C API where ops pass, because they pass a million times.
#pragma once
#include <node_api.h>
#include <exception>
#include <new>
#include "failure.h"

namespace transweld {

// An Error with the failure's words and its `status`, from which lib/native/fault.ts makes a TransweldError.
napi_value error_of(napi_env, const Failure&);
void throw_failure(napi_env, const Failure&);

// Runs a callback's body; a Fault or any C++ exception becomes a JavaScript error.
template <class F> napi_value guarded(napi_env env, const F& body) {
  try {
    return body();
  } catch (const Fault& fault) {
    throw_failure(env, fault.failure);
  } catch (const std::bad_alloc&) {
    throw_failure(env, {TW_MEMORY, "the system has no memory left"});
  } catch (const std::exception& error) {
    throw_failure(env, {TW_INTERNAL, error.what()});
  }
  return nullptr;
}

// Reads the numbers that describe a call, in the order of its row.
class Numbers {
 public:
  Numbers(napi_env, napi_value float64_array, double count);
  double next() { return at_ < end_ ? *at_++ : short_of(); }
  uint64_t whole();                      // an integer in [0, 2^53]
  uint32_t word();
  void end() const;                      // Fault where numbers are left over

 private:
  [[noreturn]] static double short_of();
  const double* at_;
  const double* end_;
};

double number(napi_env, napi_value);
napi_value value(napi_env, double);

}   // namespace transweld
