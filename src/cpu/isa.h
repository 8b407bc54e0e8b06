// Which instruction set the CPU backend runs, chosen once a process.
#pragma once

namespace transweld {

struct IsaChoice {
  const char* name;         // baseline, avx2, avxvnni, avx512, avx512vnni; null where TRANSWELD_ISA asks for one that is not here
  const char* bits;         // class of bits: "fma" or "baseline"
  char why[256];            // how it was chosen, or why not
};

const IsaChoice& isa_choice();

// Threads of the pool: TRANSWELD_THREADS, else the cores that this process may use. 0 with words where the variable is wrong.
unsigned thread_choice(char* why, unsigned why_bytes);

}   // namespace transweld
