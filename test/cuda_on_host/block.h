// The block that a system thread is running: its threads, who may go on, who waits for what. One block at a time; all of it
// belongs to one system thread, so several contexts may launch side by side.
//
// Order. A warp goes on until all its lanes wait, then another one does; within a warp, and among warps, the next is the lowest,
// the highest or a random one. So of two threads with conflicting accesses between two barriers, each comes first in one of
// forward and reverse. No lane is favoured: the last to come to a barrier or collective waits its turn as well.
#pragma once
#include <cstdarg>
#include <cstdint>
#include "fiber.h"
#include "grid.h"
#include "races.h"
#include "thread.h"

namespace cuda_on_host {
constexpr unsigned kMostThreads = 1024, kMostWarps = 32, kBarriers = 16, kMostFibers = 2048;
constexpr size_t kMostSharedBytes = 227 << 10;
enum Order { kForward, kReverse, kSeeded };

struct Warp {
  uint32_t exists, live;        // lanes of the block, lanes that have not exited
  uint32_t ready, todo;         // who may go on: in the next pass, in this one
  uint32_t arrived, wide;       // who waits in a collective; of these, in one of a warpgroup
  uint32_t mask[32];            // what each brought to it
  const void* in[32];
  void* out[32];
  unsigned turn;                // how often __syncwarp met, for the race detector
};

struct Barrier {
  unsigned arrived, threads;    // threads: how many it takes, 0 for all that live
  place first;
  uint32_t waiting[kMostWarps];
};

struct Copies;                  // copies.cc
struct Objects;                 // barrier_objects.cc
struct Products;                // warpgroup.cc
struct SharedMemory;            // shared_memory.cc

struct Block {
  Thread threads[kMostThreads]{};
  Warp warps[kMostWarps]{};
  Barrier barriers[kBarriers]{};
  unsigned count = 0, live = 0;
  uint32_t awake = 0;           // warps with a lane that may go on
  uint32_t busy = 0;            // barriers that somebody waits at
  unsigned warp = 0;            // the one that runs
  Order order = kForward;
  uint64_t random = 1;

  void (*body)(void*) = nullptr;
  void* arguments = nullptr;
  bool failed = false;
  char why[1024];
  char text[4][320];            // of words(), in turn
  unsigned text_turn = 0;

  Fiber host;
  Fiber fibers[kMostFibers];
  Fiber* idle[kMostFibers];
  Fiber* used[kMostFibers];     // in this launch: their canaries are looked at when it ends
  unsigned idle_count = 0, used_count = 0, made = 0, sequence = 0;
  Stacks stacks;
  char begins = 0, ends = 0, fences = 0;    // tokens: the grid's start and end, __threadfence

  Tokens* tokens = nullptr;

  SharedMemory* memory = nullptr;
  Copies* copies = nullptr;
  Objects* objects = nullptr;
  Products* products = nullptr;

  Block();
  ~Block();
  void run(dim3 size);          // one block from its first thread's first instruction to its last
  void yield();                 // the running thread goes on when it is ready again
  void wake(unsigned warp, uint32_t lanes) { warps[warp].ready |= lanes; awake |= 1u << warp; }
  void wake(const uint32_t (&lanes)[kMostWarps]);
  void open(Barrier& barrier);
  void finish();                // the running thread has returned
  void check_stacks();
  uint32_t next_random();

 private:
  void start(dim3 size);
  Thread* pick();
  unsigned choose(uint32_t set);
  void go(Fiber& from, Thread* next);
  Fiber* take(const Thread& thread);
  Fiber* make(Fiber* fiber);
  void abandon();
};

extern thread_local constinit Block* block CUDA_ON_HOST_TLS;

// The first failure of a launch, in words. In a kernel's thread the block ends there: fail does not return.
__attribute__((format(printf, 1, 2))) void fail(const char* format, ...);
// "thread (3,0,0) of block (0,0,0) at file:line"; into one of four buffers in turn.
const char* words(const Thread& thread);
bool same(place a, place b);

// The parts of a block that other files own, made with it, cleared before each block.
SharedMemory* make_shared_memory();
Tokens* clear(SharedMemory*, size_t dynamic_bytes);
void destroy(SharedMemory*);
Copies* make_copies();
void destroy(Copies*);
Objects* make_objects();
void clear(Objects*);
void destroy(Objects*);
bool land(Block&);                          // ends the phase of one barrier object somebody waits for; false when none can end
const char* missing(Block&, unsigned linear);   // what the object that a thread waits for still lacks, or ""
Products* make_products();
void destroy(Products*);
}
