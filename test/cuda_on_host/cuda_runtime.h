// The name under which cuda/*.cu finds the emulation when g++ compiles it: #include <cuda_runtime.h>. See README.md.
#pragma once
#include "atomics.h"
#include "collective.h"
#include "copies.h"
#include "grid.h"
#include "intrinsics.h"
#include "language.h"
#include "runtime_api.h"
#include "thread.h"
#include "warpgroup.h"
