// The host's side of the two declarations that C++ has no word for (cuda/device/launch.h): shared arrays and the block's dynamic
// shared memory. The address of a static object names the declaration; a `section` attribute would fail inside templates.
#pragma once
#include "cuda_runtime.h"

#define SHARED(type, name, dims)            \
  static const char name##_key = 0;         \
  using name##_shape = type dims;           \
  name##_shape& name = *static_cast<name##_shape*>(cuda_on_host::shared(&name##_key, sizeof(name##_shape), 16))
#define DYNAMIC_SHARED(type, name) type* name = static_cast<type*>(cuda_on_host::dynamic_shared(1024))
