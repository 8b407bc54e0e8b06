#include "op_job.h"
#include <exception>
#include <new>
#include "late.h"

namespace transweld {
namespace {

// "[4, 16] f32"
std::string view_text(const tw_view& view) {
  return "[" + std::to_string(view.rows) + ", " + std::to_string(view.columns) + "] " + tw_dtype_name(view.dtype);
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
  if (engine.late) engine.late->add(*this);   // every call counts, those that fail at once too
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
  if (!engine.late || !engine.late->is_full()) return;
  if (const Poison lost = engine.late->settle(engine)) poison(lost);
}

void OpJob::poison(const Poison& poison) {
  for (auto& use : uses) if (use.kind != Kind::in) use.block->poison = poison;
}

Poison OpJob::failed(tw_status status, const char* words) {
  FailureWords text(row, status, words);
  for (auto& use : uses) text.add(*use.field, view(use));
  return std::make_shared<const Failure>(Failure{status, std::move(text.message)});
}

FailureWords::FailureWords(const Row& row, tw_status status, const char* words)
    : message(std::string(row.name) + " failed: " + (words && *words ? words : "status " + std::to_string(status))) {}

void FailureWords::add(const Field& field, const tw_view& view) {
  message += separator + std::string(field.name) + " " + view_text(view);
  separator = ", ";
}

}   // namespace transweld
