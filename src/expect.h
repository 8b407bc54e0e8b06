// Checks of views at the top of an op, the same in every backend: one sentence that names the argument, what was expected
// and what was received.
#pragma once
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include "op_table.h"

namespace transweld {

// Writes words for last_error (printf style) and returns `status`, so that an op can `return fail(...)`. Each backend has its own.
tw_status fail(tw_context*, tw_status status, const char* format, ...) __attribute__((format(printf, 3, 4)));

namespace {

inline float* f32(const tw_view& v) { return static_cast<float*>(v.data); }
inline uint32_t* u32(const tw_view& v) { return static_cast<uint32_t*>(v.data); }
inline uint64_t* u64(const tw_view& v) { return static_cast<uint64_t*>(v.data); }
inline float* row(const tw_view& v, size_t r) { return static_cast<float*>(v.data) + r * v.stride; }   // f32 views
inline bool has(const tw_view& v) { return v.data != nullptr; }

constexpr uint64_t kAny = UINT64_MAX;        // a dimension that is free
constexpr uint32_t kFloat = UINT32_MAX;      // a dtype: f32, bf16 or f16

struct Wanted { uint32_t dtype; uint64_t rows, columns; };

inline const char* wanted_name(uint32_t dtype) { return dtype == kFloat ? "float" : tw_dtype_name(dtype); }

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
                    wanted_name(wanted.dtype), r, c, name, tw_dtype_name(v.dtype), v.rows, v.columns, v.data ? "" : " without data");
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

}   // namespace
}   // namespace transweld
