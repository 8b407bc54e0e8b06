// Failures that show after the call has returned: on a stream an op is only enqueued, and `wait` says later that call number n
// read an index that does not exist. What was enqueued since the last clean wait is kept, without holding memory, so that the
// poison lands where a synchronous failure would have put it: in what that op wrote, and in all that was made from it.
#pragma once
#include <deque>
#include <map>
#include <vector>
#include "op_job.h"

namespace transweld {

class LateCalls {
 public:
  void add(const OpJob&);                  // a call whose entry returned TW_OK, or failed and counts all the same
  // Waits. A failure of one op becomes poison and is not returned; what is returned concerns the whole device.
  Poison settle(Engine&);
  bool is_full() const { return calls_.size() >= kMost; }

 private:
  static constexpr size_t kMost = 4096;    // then the caller settles: a process that never reads still ends its list
  struct LateUse { std::weak_ptr<Block> block; const Field* field; tw_view view; Kind kind; bool is_whole; };
  struct Call { const Row* row; std::vector<LateUse> uses; };
  using Failed = std::map<size_t, Poison>; // place in calls_ → why
  void spread(const Failed&);
  std::deque<Call> calls_;                 // of the numbers first_, first_ + 1, ...
  uint64_t first_ = 1;
};

}   // namespace transweld
