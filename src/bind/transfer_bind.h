// Data in and out of tensors. No job ever holds a pointer into JavaScript's memory: its owner may hand that to another
// thread at any time.
#pragma once
#include <node_api.h>

namespace transweld {

napi_value write(napi_env, napi_callback_info);   // (device, view numbers, count, typed array)
napi_value read(napi_env, napi_callback_info);    // (device, view numbers, count) -> Promise<ArrayBuffer>
napi_value wait(napi_env, napi_callback_info);    // (device) -> Promise<void>

}   // namespace transweld
