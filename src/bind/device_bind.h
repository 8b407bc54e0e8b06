// Devices and blocks, as JavaScript opens and releases them.
#pragma once
#include <napi.h>
#include "instance.h"

namespace transweld {

Napi::Value devices(const Napi::CallbackInfo&);      // (path) -> {devices, why, reason}
Napi::Value open(const Napi::CallbackInfo&);         // (path, index, limitBytes) -> device
Napi::Value close(const Napi::CallbackInfo&);        // (device)
Napi::Value memory(const Napi::CallbackInfo&);       // (device) -> {used, cached, limit, peak}
Napi::Value screen_bytes(const Napi::CallbackInfo&); // (device, screen, rows, columns) -> bytes
Napi::Value alloc(const Napi::CallbackInfo&);        // (device, bytes, owner) -> block
Napi::Value release(const Napi::CallbackInfo&);      // (block) -> whether it was there
Napi::Value reclaim(const Napi::CallbackInfo&);      // (device)
Napi::Value cpu_features(const Napi::CallbackInfo&); // () -> names

}   // namespace transweld
