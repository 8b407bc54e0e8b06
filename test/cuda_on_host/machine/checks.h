// The checks by file.
#pragma once
#include "check.h"

Words shuffles(int), votes(int), halves(int);                                                   // warp.cu
Words fragments(int), warpgroup(int);                                                           // products.cu
Words orders(int), coordinates(int), named(int), copies(int), pipeline(int), atomics(int);      // block.cu
Words arithmetic(int), memory(int), limits(int), failure(int), contexts(int);                   // interface.cu
