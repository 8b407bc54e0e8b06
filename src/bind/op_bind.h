// How ops are called from JavaScript.
#pragma once
#include <node_api.h>

namespace transweld {

napi_value enqueue(napi_env, napi_callback_info);
napi_value signatures(napi_env, napi_callback_info);

}   // namespace transweld
