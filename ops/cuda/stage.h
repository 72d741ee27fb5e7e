#ifndef OPS_CUDA_STAGE_H_
#define OPS_CUDA_STAGE_H_

// What one launch of the stage kernel computes, as data: the host writes it
// once, every block of the launch reads it.
//
// A stage is a list of tasks that do not depend on each other. A task makes the
// map of one node (or of a preprocessing, the stem, the classifier):
//
//   out = sum over segments s of  W_s f_s(x_s)   on the tensor cores
//       + sum over directs d of   g_d(x_d)       element by element
//       + bias,                                  then ReLU where asked for
//
// f is what a convolution gathers, or a depthwise convolution, ReLU on load; g
// is a skip connection, a pool, the average of a map or the caller's image. So
// a node whose edges are separable convolutions is one product of matrices,
// whose depth is that of all its edges together: no sums in memory, nothing
// between the depthwise convolution and the 1x1 one.
//
// Maps are NHWC. Channels of a map are a multiple of kStageVector; those that
// the network does not have are zero, in maps and weights alike. Elements are
// float, Half or BFloat16 (element.h); sums are float.

#include <cstdint>

#include "ops/cuda/element.h"

namespace fairdarts {

// Channels that a thread reads and writes at a time.
inline constexpr int kStageVector = 8;
// The side of a tile of the tensor cores, and its elements.
inline constexpr int kStageTile = 16;
inline constexpr int kStageTileElements = kStageTile * kStageTile;
// A block: its warps stand in warp_rows rows of 16 pixels, and share the
// columns (output channels) of a row among them.
inline constexpr int kStageWarps = 4;
inline constexpr int kStageThreads = 32 * kStageWarps;
// The most tiles of columns that a warp accumulates at a time.
inline constexpr int kStageFragments = 6;
// Elements of an arena, and of the weights, at most: places in them are counted
// in vectors, in 32 bits.
inline constexpr int64_t kStageMaxElements = int64_t{kStageVector} << 32;
// Blocks that stand on a multiprocessor at a time, where their shared memory
// lets them: as many as the kernel has registers for.
inline constexpr int kStageBlocksAtATime = 3;
// Shared memory of a block beside StageSharedBytes(), at most.
inline constexpr int64_t kStageFixedSharedBytes = 3 * 1024;
// The most depth that a block multiplies between two barriers.
inline constexpr int kStageMaxChunk = 128;

// Part of the channels of a map of a batch in the arena. Element (n, y, x, c)
// is at offset + ((n * height + y) * width + x) * pitch + c.
struct StageMap {
  int64_t offset;    // in elements, a multiple of kStageVector
  int32_t pitch;     // in elements, a multiple of kStageVector
  int32_t channels;  // a multiple of kStageVector
  int32_t height;
  int32_t width;
};

// A term that is multiplied with a matrix.
struct StageSegment {
  enum Kind : int32_t {
    // f gathers the kernel's window, [kernel_height][kernel_width][channels]:
    // a dense convolution, 1x1 among them.
    kDense,
    // f is a depthwise convolution: [channels].
    kDepthwise,
  };

  StageMap in;
  int64_t depthwise;  // kDepthwise: [kernel_height][kernel_width][channels],
                      // where they begin in the weights, in elements
  int64_t matrix;     // [depth][out channels], see below
  Kind kind;
  int32_t kernel_height;
  int32_t kernel_width;
  int32_t stride_height;
  int32_t stride_width;
  int32_t dilation;
  int32_t pad_top;  // zeros above the map; -1: the window begins one row in
  int32_t pad_left;
  int32_t depth;  // what f makes, rounded up to a multiple of kStageTile; what
                  // is beyond is zero
  int32_t relu;   // 0, or 1: of `in`, before f
};

// Matrices lie in tiles: tile (k, n) of a task with t tiles of columns is
// kStageTileElements elements from matrix + (k * t + n) * kStageTileElements
// on, row by row: element (i, j) is the weight of input 16 k + i for output
// channel 16 n + j. They begin at multiples of kStageTileElements.

// A term that is added as it is.
struct StageDirect {
  enum Kind : int32_t {
    kCopy,
    kMaxPool,      // 3x3, padded by 1
    kAveragePool,  // the same, over the pixels that there are
    kMapAverage,   // of the window at the top left; out is 1x1
    kImage,        // `in` is the caller's, float32 [N, channels, height, width]
                   // with any number of channels; the others are 0
  };

  StageMap in;
  Kind kind;
  int32_t stride;         // kMaxPool, kAveragePool: along both sides
  int32_t window_height;  // kMapAverage
  int32_t window_width;
  float scale;  // what the term is multiplied with
};

struct StageTask {
  StageMap out;
  int32_t images;
  int32_t first_segment;  // in the segments of the network
  int32_t segments;
  int32_t first_direct;
  int32_t directs;
  int32_t relu;    // 0, or 1: of what is written
  int32_t logits;  // 0, or the classes: writes the caller's float32 [N, logits]
                   // in place of `out`, whose map is 1x1
  int64_t bias;    // out.channels floats in the biases, from a multiple of
                   // kStageVector on, or -1: none

  // How blocks share it: block first_block + r * column_blocks + c makes the
  // pixels from r * StageRows() on and the tiles of columns from
  // c * block_tiles on.
  int32_t first_block;
  int32_t column_blocks;
  int32_t block_tiles;  // tiles of columns; at most kStageFragments for each of
                        // the kStageWarps / warp_rows warps that share a row
  int32_t warp_rows;    // 1, 2 or 4
  int32_t chunk;        // depth between two barriers: a multiple of kStageTile
};

// A launch: kStageThreads threads a block, blocks until the last task's last.
struct StageArguments {
  const StageTask* tasks;  // of the stage, by first_block
  int32_t task_count;
  const StageSegment* segments;  // of the network
  const StageDirect* directs;
  const void* weights;  // elements, from a multiple of 16 bytes on
  const float* biases;  // the same
  void* arena;          // elements, the same
  const float* image;
  float* logits;
};

// Pixels that a block makes.
FD_HOST_DEVICE constexpr int StageRows(const StageTask& task) {
  return kStageTile * task.warp_rows;
}

// Tiles of columns that a task's matrices have.
FD_HOST_DEVICE constexpr int StageColumnTiles(const StageTask& task) {
  return (task.out.channels + kStageTile - 1) / kStageTile;
}

// Rows of shared memory are longer than what they hold, so that eight of them
// begin in different banks: in elements, of f's values and of a tile.
FD_HOST_DEVICE constexpr int StageValuePitch(const StageTask& task) {
  return task.chunk + 8;
}
inline constexpr int kStageTilePitch = kStageTile + 8;
// In floats, of the sums.
FD_HOST_DEVICE constexpr int StageSumPitch(const StageTask& task) {
  return task.block_tiles * kStageTile + 8;
}

// Shared memory of one half of the double buffer: values, then tiles.
FD_HOST_DEVICE constexpr int64_t StageValueBytes(const StageTask& task,
                                                 int element_bytes) {
  return int64_t{StageRows(task)} * StageValuePitch(task) * element_bytes;
}
FD_HOST_DEVICE constexpr int64_t StageTileBytes(const StageTask& task,
                                                int element_bytes) {
  return int64_t{task.chunk / kStageTile} * task.block_tiles * kStageTile *
         kStageTilePitch * element_bytes;
}

// Shared memory that a block needs: the double buffer, and in its place
// afterwards the sums.
FD_HOST_DEVICE constexpr int64_t StageSharedBytes(const StageTask& task,
                                                  int element_bytes) {
  const int64_t buffers = task.segments == 0
                              ? 0
                              : 2 * (StageValueBytes(task, element_bytes) +
                                     StageTileBytes(task, element_bytes));
  const int64_t sums =
      task.segments == 0
          ? 0
          : int64_t{StageRows(task)} * StageSumPitch(task) * sizeof(float);
  return buffers > sums ? buffers : sums;
}

}  // namespace fairdarts

#endif  // OPS_CUDA_STAGE_H_
