#include "copy_rows.h"
#include <cstdlib>

namespace transweld {

Staging::Staging(uint64_t bytes) : data(std::malloc(bytes ? bytes : 1)) {
  if (!data) raise(TW_MEMORY, "expected room for a copy of " + std::to_string(bytes) + " bytes but the system has none");
}
Staging::~Staging() { std::free(data); }

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

}   // namespace transweld
