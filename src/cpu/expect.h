// Checks of views at the top of an op: one sentence that names the argument, what was expected and what was received.
#pragma once
#include <inttypes.h>
#include <stdio.h>
#include "context.h"

namespace transweld { namespace {

constexpr uint64_t kAny = UINT64_MAX;        // a dimension that is free
constexpr uint32_t kFloat = UINT32_MAX;      // a dtype: f32, bf16 or f16

struct Wanted { uint32_t dtype; uint64_t rows, columns; };

inline const char* dtype_name(uint32_t dtype) {
  switch (dtype) {
    case TW_F32: return "f32";
    case TW_BF16: return "bf16";
    case TW_F16: return "f16";
    case TW_I8: return "i8";
    case TW_U32: return "u32";
    case TW_U64: return "u64";
    case kFloat: return "float";
    default: return "unknown dtype";
  }
}
inline size_t dtype_bytes(uint32_t dtype) {
  switch (dtype) {
    case TW_BF16: case TW_F16: return 2;
    case TW_I8: return 1;
    case TW_U64: return 8;
    default: return 4;
  }
}

// Runs checks in order; the first that fails leaves its words with the context and its status here.
//   Check check{context};
//   check.view("x", a.x, {TW_F32, kAny, D}).optional("bias", a.bias, {TW_F32, 1, D});
//   if (check.status) return check.status;
struct Check {
  tw_context* context;
  tw_status status = TW_OK;

  // The view has this dtype and shape, and memory behind it if it has elements.
  Check& view(const char* name, const tw_view& v, const Wanted& wanted) {
    const bool dtype = wanted.dtype == kFloat ? v.dtype == TW_F32 || v.dtype == TW_BF16 || v.dtype == TW_F16 : v.dtype == wanted.dtype;
    const bool shape = (wanted.rows == kAny || v.rows == wanted.rows) && (wanted.columns == kAny || v.columns == wanted.columns);
    const bool none = !v.data && !v.rows && !v.columns;
    if (status || (dtype && shape && !none && v.stride >= v.columns && (v.data || !v.rows || !v.columns))) return *this;
    if (none) {
      status = fail(context, TW_INVALID, "expected a view for %s but received none", name);
    } else if (dtype && shape && v.stride < v.columns) {
      status = fail(context, TW_SHAPE, "expected a row stride of at least %" PRIu64 " for %s but received %" PRIu64,
                    v.columns, name, v.stride);
    } else {
      char r[24] = "any", c[24] = "any";
      if (wanted.rows != kAny) snprintf(r, sizeof r, "%" PRIu64, wanted.rows);
      if (wanted.columns != kAny) snprintf(c, sizeof c, "%" PRIu64, wanted.columns);
      status = fail(context, TW_SHAPE, "expected %s [%s, %s] for %s but received %s [%" PRIu64 ", %" PRIu64 "]%s",
                    dtype_name(wanted.dtype), r, c, name, dtype_name(v.dtype), v.rows, v.columns, v.data ? "" : " without data");
    }
    return *this;
  }
  Check& optional(const char* name, const tw_view& v, const Wanted& wanted) { return has(v) ? view(name, v, wanted) : *this; }

  // Anything else: what was expected, for what, and what came instead.
  Check& that(bool holds, const char* expected, const char* name, uint64_t received) {
    if (!status && !holds) status = fail(context, TW_INVALID, "expected %s for %s but received %" PRIu64, expected, name, received);
    return *this;
  }
};

} }   // namespace
