// A call of an op on its way through the queue.
#pragma once
#include <vector>
#include "block.h"
#include "queue.h"
#include "rows.h"

namespace transweld {

// How a job touches a block.
struct Use {
  std::shared_ptr<Block> block;
  const Field* field;
  Kind kind;              // in, out or inout, after flags
  bool is_whole;          // the view is all of the block
};

// Poison: a job that reads a poisoned block does not run and hands the poison on; one that fails poisons what it writes;
// one that succeeds clears what it overwrote whole.
class OpJob : public Job {
 public:
  explicit OpJob(const Row&);
  void run() noexcept override;

  template <class T> T& at(uint32_t offset) { return *reinterpret_cast<T*>(args_.get() + offset); }
  const tw_view& view(const Use& use) const { return *reinterpret_cast<const tw_view*>(args_.get() + use.field->offset); }
  const Row& row;
  std::vector<Use> uses;

 private:
  void poison(const Poison&);
  Poison failed(tw_status, const char* words);
  std::unique_ptr<std::byte[]> args_;
};

// "matmul failed: words; a [4, 16] f32, b [8, 16] f32, ..."
struct FailureWords {
  FailureWords(const Row&, tw_status, const char* words);
  void add(const Field&, const tw_view&);
  std::string message;
  const char* separator = "; ";
};

}   // namespace transweld
