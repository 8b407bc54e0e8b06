// Tile sizes and other tunables as data: a namespace an op, a reason a row. None of them changes a result.
#pragma once

namespace transweld::tile {

// Elementwise ops (fill, cast, axpy, gate, gather_rows, embed_rows): vectors that a thread loads before it stores the first. At 1024
// threads a multiprocessor, four of 16 bytes are 64 KB under way; HBM3 at full rate (3.35 TB/s, 0.7 µs, 132 of them) takes 18 KB.
namespace rows {
constexpr int kAhead = 4;
}

namespace sparse_decode {
constexpr unsigned kWarps = 8;   // rows of codes a block: one a warp
constexpr int kAhead = 8;        // rows of weight a lane has under way: 4 KB a warp in f32, and the registers (64 to 80) allow 24 warps
}

namespace sparse_sample {
constexpr unsigned kWarps = 8;   // of 32 positions each
constexpr int kAhead = 4;        // steps of 16 columns under way: 2 KB of weight a warp in f32
constexpr unsigned kRaggedBlocks = 12;   // of a multiprocessor: four rounds of the three that its registers hold
}

namespace row_moments {
constexpr int kAhead = 4;        // steps of 16 columns of a and of b: 128 bytes a lane, though N·4 lanes are all there are
}

namespace feature_major {
constexpr unsigned kThreads = 256, kWarps = kThreads / 32;
constexpr unsigned kMostBits = 9;    // of a digit: 512 counters for each of 8 warps are 16 KB, and two digits sort 262144 features
constexpr unsigned kLeastBits = 3;   // a bin for every warp
constexpr int kFew = 4, kMany = 16;  // positions a thread: a large tile writes longer runs and has fewer counts to add up,
constexpr unsigned kFull = 2;        // from this many of its blocks a multiprocessor on
}

// norm and norm_frozen (held.h).
namespace norm {
constexpr unsigned kThreads = 128;           // 8 groups of columns a block: a few hundred rows reach every multiprocessor
constexpr int kHeld[] = {16, 48};            // columns a lane keeps in registers: groups of up to 256 and 768. 128 would spill, and 3 blocks of them
                                             // fill a multiprocessor where 16 have their columns in shared memory
constexpr unsigned kStaged = 12286;          // columns that a block keeps in shared memory: with their line 48 KB
}

namespace rope {
constexpr int kAhead = 1;   // pairs of vectors: half a head is 16 or 32 of them, one a thread; a second would cost half the threads
}

namespace scatter_rows {
constexpr unsigned kWarps = 8;   // rows a block: one a warp
constexpr int kAhead = 4;        // units of 16 bytes a lane has under way: 2 KB a warp
}

namespace adam_step {
constexpr int kAhead = 2;   // vectors of each of four tensors: eight loads of 16 bytes a thread are under way
}

namespace unit_rows {
constexpr unsigned kThreads = 256;
constexpr int kAhead = 6;   // steps of 16 columns: 96 bytes a lane under way with 16-byte loads; 8 spill on sm_120
}

// sparse_encode, the plain product. 128 sums a lane (8 rows, 8 features, 2 of the 16 partial sums) are what 255 registers allow
// beside 32 operands; eight lanes hold an output, so 256 threads hold 32 x 64 of them. One block a multiprocessor.
namespace encode {
constexpr unsigned kThreads = 256;
constexpr unsigned kRows = 32, kFeatures = 64;      // of a block's tile
constexpr unsigned kColumns = 64;                   // of a stage: 30 KB for the 96 rows of the tile, 512 FFMA a lane
constexpr unsigned kStages = 3;                     // 90 KB: two under way; with the lists' state just the 99 KB of sm_86, 89 and 120
constexpr unsigned kWaves = 4;                      // items a block at most, where features are split to fill the processors
constexpr unsigned kSelectThreads = 128;            // a block a row: rows are short, so many blocks and short barriers
constexpr unsigned kCounted = 256;                  // K up to this: ranks by counting, K compares a code; beyond: a sort
constexpr unsigned kSorted = 1024;                  // K up to this is sorted in shared memory (12 KB), beyond in scratch
constexpr unsigned kPlaceThreads = 128;
constexpr unsigned kSegment = 32768;                // features of a bitmap while positives are put in order: 4 KB, and 4 KB of sums
constexpr unsigned long long kScratch = 512u << 20; // bytes of a chunk of rows, at most (one row may need more): 4096 rows of F 24576, K 32, screened
constexpr unsigned long long kLists = 64u << 20;    // bytes of running lists that splitting features may ask for
}

namespace reduce_rows {
constexpr unsigned kThreads = 64;   // columns a block: 768 columns of 8192 rows are 384 blocks
constexpr int kAhead = 32;          // rows under way of a chunk of 256
}

namespace recon_loss {
constexpr unsigned kTile = 256;     // rows and columns of a tile: the order of sums, not a choice
constexpr unsigned kStrip = 64;     // columns a block of the means
constexpr int kAhead = 16;          // rows of y and y_hat under way
}

// Tiles are 128 × 128 where that fills the device, else 64 × 64: more of them, and half the work for each byte read.
namespace matmul {
constexpr unsigned kChunk = 1024;                        // k of one chain of sums: part of the result's bits, so it never follows the shape
constexpr unsigned kBand = 8;                            // tiles: 8 of 128 rows and their columns' 16 are 9 MB of f32 at K = 768
constexpr unsigned long long kMostApart = 512ull << 20;  // bytes for sums of chunks side by side
constexpr unsigned kFewWarps = 2;                        // of up to 16 rows: 64 rows of b a block, so that few of them reach every processor
constexpr unsigned kFewStages = 4;                       // 4.5 KB each: 36 KB a block, six blocks and 147 KB under way on 228 KB
constexpr unsigned kFewBlocks = 8;                       // of a multiprocessor: leaves 128 registers a thread
}

namespace sparse_scatter {
constexpr unsigned kMostThreads = 256;    // a feature: a row of up to 1024 columns at once, wider ones in strips
constexpr unsigned kOccupied = 3;         // such blocks a multiprocessor at least: 80 registers a thread hold kAhead rows without a spill
constexpr int kAhead = 6;                 // rows of dense under way: with 16-byte loads 24 registers, 72 KB a multiprocessor; 7 and 8 spill
constexpr int kDotAhead = 8;              // steps of 16 columns from shared memory: what covers its latency
constexpr unsigned kSplit = 1024;         // positions from which on a feature's chunks are summed by others: 3 MB of rows of 768
constexpr uint32_t kMostAhead = 2048;     // such chunks: 6 MB of sums of 768 columns; what finds no room is summed by its owner
constexpr uint32_t kAheadBlocks = 8;      // of a multiprocessor
constexpr size_t kRowBytes = 40 * 1024;   // of shared memory for a row and what it was: 10240 columns, or 5120 with penalties
constexpr uint32_t kRowBlocks = 4;        // blocks a multiprocessor where wider rows stand in scratch
}

// The screened product of sparse_encode. Bands and feature tiles are those of the shadow: 128 rows.
namespace screen {
constexpr unsigned kStages = 2;          // mma.sync: 32 KB each, so that two blocks share a processor (sm_80: 163 KB) and one
constexpr unsigned kSharing = 2;         //   multiplies while the other looks at its sums; a step's 1024 cycles cover its copy
constexpr unsigned kHopperStages = 4;    // of 48 KB (256 rows of x, 128 features): 1024 cycles of products cover the copy of one
constexpr unsigned kSeedShare = 16;      // one tile in 16 makes the first limits: 6 % more products, and lists of 16·K, not F
constexpr unsigned kSeedHands = 4;       // or 4·K features where that is more
constexpr unsigned kLeastShare = 4;      // feature tiles of a block, at least: what a block begins and ends with costs about one
constexpr unsigned kThreads = 128;       // of the kernels that take a row a warp
constexpr unsigned kOffsets = 1024;      // counters of features that a block turns into places
constexpr int kAhead = 4;                // steps of 16 columns under way in a dot: 512 bytes of x and of the weight a group of lanes
constexpr unsigned long kOneGo = 4ul << 20;   // a weight of fewer bytes lies in the second cache: candidates are evaluated in one go
}

namespace token_loss {
constexpr unsigned kThreads = 256;           // seven warps make powers, one adds
constexpr int kAhead = 8;                    // elements of a row that a thread has under way: 7 KB a block
constexpr unsigned kLeast = 2, kMost = 8;    // blocks a multiprocessor: 2 hide each other's pauses, 8 are all its threads
}

namespace attend {
constexpr unsigned kFewRows = 16;                      // rows of a sequence and key head: up to these, one row group and four warps beside it
constexpr unsigned kFull = 2;                          // blocks a multiprocessor; with fewer, chunks of keys go to blocks of their own
constexpr unsigned long long kMostApart = 256u << 20;  // bytes for their sums
constexpr unsigned kJoinThreads = 128;
constexpr unsigned kMostChunks = 65535;                // of gridDim.y
}

namespace attend_pattern {
constexpr unsigned kThreads = 256;   // of the kernel that takes a row a warp
}

}   // namespace transweld::tile
