// Every planted fault by name. Included twice, inside two namespaces: without a #pragma once.
#include "divergent_barrier.cu"
#include "early_overwrite.cu"
#include "exited_lane.cu"
#include "global_race.cu"
#include "missing_arrival.cu"
#include "missing_barrier.cu"
#include "missing_bulk_wait.cu"
#include "missing_copies_wait.cu"
#include "missing_init_barrier.cu"
#include "missing_product_wait.cu"
#include "missing_second_barrier.cu"
#include "missing_warp_sync.cu"
#include "past_allocation.cu"
#include "past_shared_array.cu"
#include "short_mask.cu"
#include "stack_overflow.cu"
#include "uninitialised_memory.cu"

#define CASE(name) {#name, name}
const struct { const char* name; Outcome (*run)(); } cases[] = {
  CASE(divergent_barrier), CASE(early_overwrite), CASE(exited_lane), CASE(global_race), CASE(missing_arrival), CASE(missing_barrier),
  CASE(missing_bulk_wait), CASE(missing_copies_wait), CASE(missing_init_barrier), CASE(missing_product_wait), CASE(missing_second_barrier),
  CASE(missing_warp_sync), CASE(past_allocation), CASE(past_shared_array), CASE(short_mask), CASE(stack_overflow), CASE(uninitialised_memory),
};
#undef CASE
