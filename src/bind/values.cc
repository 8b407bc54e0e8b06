#include "values.h"

namespace transweld {

napi_value error_of(napi_env env, const Failure& failure) {
  napi_value message, error, status;
  napi_create_string_utf8(env, failure.message.data(), failure.message.size(), &message);
  napi_create_error(env, nullptr, message, &error);
  napi_create_int32(env, failure.status, &status);
  napi_set_named_property(env, error, "status", status);
  return error;
}

void throw_failure(napi_env env, const Failure& failure) { napi_throw(env, error_of(env, failure)); }

Numbers::Numbers(napi_env env, napi_value array, double count) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, array, &type, &length, &data, nullptr, nullptr) != napi_ok || type != napi_float64_array)
    raise(TW_INTERNAL, "expected a Float64Array of numbers");
  if (!(count >= 0 && count <= static_cast<double>(length))) short_of();
  at_ = static_cast<const double*>(data);
  end_ = at_ + static_cast<size_t>(count);
}

uint64_t Numbers::whole() {
  double value = next();
  constexpr double kLimit = 9007199254740992.0;   // 2^53
  if (!(value >= 0 && value <= kLimit)) raise(TW_INVALID, "expected a whole number from 0 to 2^53 but received " + std::to_string(value));
  auto whole = static_cast<uint64_t>(value);
  if (static_cast<double>(whole) != value) raise(TW_INVALID, "expected a whole number but received " + std::to_string(value));
  return whole;
}

uint32_t Numbers::word() {
  uint64_t value = whole();
  if (value > 0xFFFFFFFFu) raise(TW_INVALID, "expected a number below 2^32 but received " + std::to_string(value));
  return static_cast<uint32_t>(value);
}

void Numbers::end() const {
  if (at_ != end_) raise(TW_INTERNAL, "a call has more numbers than its row");
}

double Numbers::short_of() { raise(TW_INTERNAL, "a call has fewer numbers than its row"); }

double number(napi_env env, napi_value value) {
  double result;
  if (napi_get_value_double(env, value, &result) != napi_ok) raise(TW_INTERNAL, "expected a number");
  return result;
}

napi_value value(napi_env env, double number) {
  napi_value result;
  napi_create_double(env, number, &result);
  return result;
}

}   // namespace transweld
