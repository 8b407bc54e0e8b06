#include "late.h"

namespace transweld {

void LateCalls::add(const OpJob& job) {
  Call call{&job.row, {}};
  call.uses.reserve(job.uses.size());
  for (const Use& use : job.uses) call.uses.push_back({use.block, use.field, job.view(use), use.kind, use.is_whole});
  calls_.push_back(std::move(call));
}

Poison LateCalls::settle(Engine& engine) {
  Failed failed;
  Poison rest;
  for (;;) {
    uint64_t late = 0;
    const tw_status status = engine.table->wait(engine.context, &late);
    if (status == TW_OK) break;
    const char* words = engine.table->last_error(engine.context);
    if (late < first_ || late - first_ >= calls_.size()) {
      rest = std::make_shared<const Failure>(Failure{status, words && *words ? words : "status " + std::to_string(status)});
      break;
    }
    const Call& call = calls_[late - first_];
    FailureWords text(*call.row, status, words);
    for (const LateUse& use : call.uses) text.add(*use.field, use.view);
    failed[late - first_] = std::make_shared<const Failure>(Failure{status, text.message});
  }
  spread(failed);
  first_ += calls_.size();
  calls_.clear();
  return rest;
}

// Plays the calls again for what became of their blocks: poison of an input reaches every output, then a call's own failure
// does, and a whole overwrite heals.
void LateCalls::spread(const Failed& failed) {
  if (failed.empty()) return;
  for (size_t i = failed.begin()->first; i < calls_.size(); i++) {
    Poison found;
    for (const LateUse& use : calls_[i].uses) {
      if (const auto block = use.block.lock(); block && use.kind != Kind::out && !found) found = block->poison;
    }
    if (const auto own = failed.find(i); !found && own != failed.end()) found = own->second;
    for (const LateUse& use : calls_[i].uses) {
      const auto block = use.block.lock();
      if (!block || use.kind == Kind::in) continue;
      if (found) block->poison = found;
      else if (use.kind == Kind::out && use.is_whole) block->poison.reset();
    }
  }
}

}   // namespace transweld
