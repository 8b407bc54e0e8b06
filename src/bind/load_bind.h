// Weights from a file into a tensor, without a stop in JavaScript's memory.
#pragma once
#include <node_api.h>

namespace transweld {

// (device, numbers of the view and of its scales, count, [file, position, dtype, turned], what it is called in errors) -> Promise<void>
napi_value load(napi_env, napi_callback_info);

}   // namespace transweld
