#include "op_job.h"
#include <exception>
#include <new>

namespace transweld {
namespace {

// "[4, 16] f32"
std::string view_text(const tw_view& view) {
  constexpr const char* kNames[] = {"f32", "bf16", "f16", "i8", "u32", "u64"};
  return "[" + std::to_string(view.rows) + ", " + std::to_string(view.columns) + "] " + (view.dtype < 6 ? kNames[view.dtype] : "?");
}

}   // namespace

// Zeros: an absent view has data = 0, reserved fields are 0.
OpJob::OpJob(const Row& row) : row(row), args_(new std::byte[row.bytes]()) {
  at<uint32_t>(0) = row.bytes;
  uses.reserve(row.field_count);
}

void OpJob::run() noexcept {
  for (auto& use : uses) {
    if (use.kind != Kind::out && use.block->poison) return poison(Poison(use.block->poison));
  }
  Engine& engine = *uses.front().block->engine;
  try {
    tw_status status = (engine.table->*row.entry)(engine.context, args_.get());
    if (status != TW_OK) return poison(failed(status, engine.table->last_error(engine.context)));
  } catch (const std::bad_alloc&) {
    return poison(failed(TW_MEMORY, "the system has no memory left"));
  } catch (const std::exception& error) {
    return poison(failed(TW_INTERNAL, error.what()));
  } catch (...) {
    return poison(failed(TW_INTERNAL, "an exception of unknown type"));
  }
  for (auto& use : uses) if (use.kind == Kind::out && use.is_whole) use.block->poison.reset();
}

void OpJob::poison(const Poison& poison) {
  for (auto& use : uses) if (use.kind != Kind::in) use.block->poison = poison;
}

// "matmul failed: words; a [4, 16] f32, b [8, 16] f32, ..."
Poison OpJob::failed(tw_status status, const char* words) {
  std::string message = std::string(row.name) + " failed: " + (words && *words ? words : "status " + std::to_string(status));
  const char* separator = "; ";
  for (auto& use : uses) {
    message += separator + std::string(use.field->name) + " " + view_text(at<tw_view>(use.field->offset));
    separator = ", ";
  }
  return std::make_shared<const Failure>(Failure{status, std::move(message)});
}

}   // namespace transweld
