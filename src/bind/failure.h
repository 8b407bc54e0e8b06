// What went wrong, as a value: a status and words. Thrown as a Fault on JavaScript's thread, kept as a Poison in a block.
#pragma once
#include <memory>
#include <string>
#include "../status.h"

namespace transweld {

// Statuses of the binding itself, beside those of status.h. lib/native/fault.ts gives each its code.
constexpr tw_status kDisposed = -1;         // a tensor or device that is gone
constexpr tw_status kOtherDevice = -2;      // a tensor of another device
constexpr tw_status kLibrary = -3;          // a backend library that cannot be used
constexpr tw_status kFile = -4;             // a file that cannot be read
constexpr tw_status kFormat = -5;           // a file that is not what it should be
constexpr tw_status kNotFinite = -6;        // NaN or infinity in a file

struct Failure {
  tw_status status;
  std::string message;
};

// The failure of the op that should have filled a block; null where the content is good.
using Poison = std::shared_ptr<const Failure>;

struct Fault {
  Failure failure;
};

[[noreturn]] inline void raise(tw_status status, std::string message) { throw Fault{{status, std::move(message)}}; }

}   // namespace transweld
