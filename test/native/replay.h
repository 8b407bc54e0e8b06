// Runs a recorded call on a device and checks all memory that it was given: each view holds what it should, and around the
// views nothing has changed. Every call runs twice, on fresh memory, and must give the same bits again.
#pragma once
#include "cases.h"
#include "device.h"

namespace transweld {

enum class Verdict { kPassed, kFailed, kSkipped };

struct Outcome {
  Verdict verdict;
  std::string words;              // what is wrong, or why it was skipped
};

class Replay {
 public:
  // spoil: the spoil-th view that is checked to the bit gets a wrong bit in what is expected of it; 0: none.
  Replay(const Cases& cases, Opened& opened, uint64_t spoil) : cases_(cases), opened_(opened), spoil_(spoil) {
    is_own_class_ = cases.bits == opened.info.bits;
  }

  Outcome run(const Case&);

 private:
  struct View {
    const Field* field;
    const Held* held;
    uint64_t block, offset;       // offset in bytes
    tw_view shape;
  };
  struct Prepared {
    std::vector<View> views;
    std::vector<std::byte> args;
    std::vector<std::vector<std::byte>> images;   // of each block, before the call
  };

  Prepared prepare(const Case&);
  void place(const View&, std::vector<std::byte>& image) const;
  std::vector<std::byte> dense(const View&, const std::vector<std::byte>& image) const;
  std::string call(Prepared&, const Case&, std::vector<std::vector<std::byte>>& after);
  std::string check(const Prepared&, const std::vector<std::vector<std::byte>>& after);
  std::string check_view(const View&, const std::vector<std::byte>& image);

  const Cases& cases_;
  Opened& opened_;
  uint64_t spoil_;
  bool is_own_class_;             // then even what a GPU computes in its own order has these bits
};

// "[3, 7] f32"
std::string shape_text(const tw_view&);

}   // namespace transweld
