// The CPU backend's one door.
#pragma once
#include "../op_table.h"

// The table of the instruction set that fits this processor (isa.h), or null when `abi` is not TW_ABI.
extern "C" const tw_op_table* tw_cpu_table(uint32_t abi);
