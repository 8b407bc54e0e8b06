// Dense rows of the host to a view and back.
#pragma once
#include "view_bind.h"

namespace transweld {

// Memory that is not cleared: a large block's pages are touched once, by the copy.
struct Staging {
  explicit Staging(uint64_t bytes);   // Fault where the system has none
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  void* data;
};

// Between a view and dense rows; one copy where the view is dense too. On the queue's thread, or while it is idle.
tw_status copy_rows(Engine&, const tw_view&, void* dense, uint32_t direction);

// What `copy_rows` left to say.
Poison copy_failure(Engine&, const char* verb, tw_status);

}   // namespace transweld
