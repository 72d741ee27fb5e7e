#ifndef OPS_CUDA_STAGE_KERNEL_H_
#define OPS_CUDA_STAGE_KERNEL_H_

// The body of the stage kernel: what one block of a launch does (stage.h says
// what that is). The same source runs on the device (stage_kernel.cu) and on
// the host (host_stage.h); `Block` is what differs:
//
//   block.index(), block.shared(), block.scratch()
//   block.AwaitInputs()    from here on, what earlier launches wrote is there
//   block.Phase(f)         f(warp) by every warp, then a barrier
//   warp.index()
//   warp.ForEachLane(f)    f(lane) by every lane, in any order
//   warp.Converge()        the lanes go on together, as what follows here asks
//   warp.LoadMatrices(address, fragment), LoadTransposedMatrices: PTX's
//       ldmatrix.x4: lane l gives the address of row l % 8 of matrix l / 8
//   warp.MultiplyAdd<T>(a, b, i, fragment, sums): PTX's mma.m16n8k16 on words
//       b[i] and b[i + 1], added to sums.value[fragment][2 * i] and following
//   lane.index(), lane.thread()
//   lane.of(x)             this lane's part of a PerLane or PerThread variable
//   lane.Store(vector, to)
//   lane.CopyAsync(from, to)  a vector from global to shared memory, there
//   lane.AwaitCopies()        after this and a barrier
//
// What stands outside of phases is done by every thread alike, and on the host
// once: it may read shared memory, but a phase that changes what it has read
// must come behind another barrier.
//
// A block makes 16 * warp_rows pixels by block_tiles tiles of columns. It walks
// through the depth in chunks. What a chunk needs, f's values and tiles of the
// matrix, lies in one half of a double buffer in shared memory: while one half
// is multiplied the other is filled, so that a chunk needs one barrier.

#include <cstdint>
#include <cstring>

#include "ops/cuda/element.h"
#include "ops/cuda/element_vector.h"
#include "ops/cuda/stage.h"

namespace fairdarts {

// Where a pixel of the output lies.
struct alignas(16) StagePixel {
  int32_t image;
  int32_t row;  // -1: beyond the last pixel
  int32_t column;
};

// What a block makes of its task's columns.
struct StageColumns {
  int32_t first;  // tile
  int32_t tiles;
  int32_t all;        // tiles of a row of the matrix
  int32_t warps;      // that share a row of tiles
  int32_t warps_log;  // to base 2
};

// What is in a half of the double buffer.
struct StageFilled {
  int32_t depth_tiles;
  uint32_t floor;  // values are raised to it before they are multiplied
};

// Shared memory of fixed size, besides the buffers: what would otherwise be
// computed, or waited for, again and again.
struct alignas(16) StageScratch {
  static constexpr int kPixels = kStageTile * kStageWarps;
  static constexpr int kSegments = 8;  // at a time
  static constexpr int kDirects = 8;   // those beyond are read where they are

  StagePixel pixels[kPixels];
  StageTask task;
  StageColumns columns;
  StageFilled filled[2];
  StageSegment segments[kSegments];
  StageDirect directs[kDirects];
};
static_assert(sizeof(StageScratch) <= kStageFixedSharedBytes,
              "what schedules count on");

// What a thread accumulates.
struct StageSums {
  float value[kStageFragments][kStageTileElements / 32];
};

// A lane's part of a 16x16 tile of elements of two bytes.
struct StageFragment {
  uint32_t words[4];
};

namespace internal {

// How threads share `vectors` vectors of each of a number of pixels: a thread
// keeps its channels, so that it loads what belongs to them once, and goes
// through pixels; neighbours in a warp have neighbouring channels.
struct StageShare {
  int vector;
  int first;  // pixel; beyond all of them where the thread has no share
  int step;
};

FD_KERNEL StageShare ShareOf(int thread, int vectors) {
  StageShare share;
  share.step = static_cast<int>(static_cast<uint32_t>(kStageThreads) /
                                static_cast<uint32_t>(vectors));
  share.first = static_cast<int>(static_cast<uint32_t>(thread) /
                                 static_cast<uint32_t>(vectors));
  share.vector = thread - share.first * vectors;
  if (share.first >= share.step) share.first = StageScratch::kPixels;
  return share;
}

FD_KERNEL bool Within(int index, int size) {
  return static_cast<uint32_t>(index) < static_cast<uint32_t>(size);
}

FD_KERNEL int PixelIndex(const StageMap& map, int image, int row, int column) {
  return (image * map.height + row) * map.width + column;
}

// Places in arena and weights are counted in vectors, which takes one register
// where an address takes two. The first may lie outside of its map.
FD_KERNEL uint32_t VectorOf(int64_t element) {
  return static_cast<uint32_t>(element / kStageVector);
}
FD_KERNEL uint32_t PixelVectors(const StageMap& map) {
  return static_cast<uint32_t>(map.pitch) / kStageVector;
}
FD_KERNEL uint32_t VectorOf(const StageMap& map, int image, int row, int column,
                            int channel) {
  return VectorOf(map.offset) +
         static_cast<uint32_t>(PixelIndex(map, image, row, column)) *
             PixelVectors(map) +
         static_cast<uint32_t>(channel) / kStageVector;
}
template <typename T>
FD_KERNEL T* AtVector(T* elements, uint32_t vector) {
  return elements + static_cast<uint64_t>(vector) * kStageVector;
}

// The task of a block: the last one that does not begin behind it. All are
// looked at, so that no load waits for another.
FD_KERNEL int TaskOfBlock(const StageArguments& arguments, int block) {
  int task = -1;
  for (int i = 0; i < arguments.task_count; ++i) {
    task += arguments.tasks[i].first_block <= block ? 1 : 0;
  }
  return task;
}

template <typename Item, typename Lane>
FD_KERNEL void CacheItems(const Item* items, int count, int most, Item* cache,
                          Lane& lane) {
  static_assert(sizeof(Item) % sizeof(uint64_t) == 0, "copied by words");
  const int words = (count < most ? count : most) *
                    static_cast<int>(sizeof(Item) / sizeof(uint64_t));
  const char* const from = reinterpret_cast<const char*>(items);
  char* const to = reinterpret_cast<char*>(cache);
  for (int i = lane.thread(); i < words; i += kStageThreads) {
    uint64_t word;
    memcpy(&word, __builtin_assume_aligned(from + i * sizeof(word), 8),
           sizeof(word));
    memcpy(__builtin_assume_aligned(to + i * sizeof(word), 8), &word,
           sizeof(word));
  }
}

template <typename Lane>
FD_KERNEL void FillPixels(const StageTask& task, int first_pixel,
                          StagePixel* pixels, Lane& lane) {
  const int i = lane.thread();
  if (i >= StageRows(task)) return;
  const uint32_t width = task.out.width;
  const uint32_t height = task.out.height;
  const uint32_t pixel = first_pixel + i;
  const uint32_t line = pixel / width;
  const uint32_t image = line / height;
  StagePixel result;
  result.image = static_cast<int>(image);
  result.row = image < static_cast<uint32_t>(task.images)
                   ? static_cast<int>(line - image * height)
                   : -1;
  result.column = static_cast<int>(pixel - line * width);
  pixels[i] = result;
}

FD_KERNEL StageColumns ColumnsOf(const StageTask& task, int column_block) {
  StageColumns columns;
  columns.all = StageColumnTiles(task);
  columns.first = column_block * task.block_tiles;
  columns.tiles = columns.all - columns.first < task.block_tiles
                      ? columns.all - columns.first
                      : task.block_tiles;
  columns.warps_log = task.warp_rows == 1 ? 2 : task.warp_rows == 2 ? 1 : 0;
  columns.warps = 1 << columns.warps_log;
  static_assert(kStageWarps == 4, "the logarithms above");
  return columns;
}

// One half of the double buffer.
template <typename T>
struct StageHalf {
  T* values;  // [pixel][StageValuePitch()]
  T* tiles;   // [tile of depth][block_tiles][kStageTile][kStageTilePitch]
};

template <typename T>
FD_KERNEL StageHalf<T> HalfOf(const StageTask& task, char* shared, int half) {
  const int64_t value_bytes = StageValueBytes(task, sizeof(T));
  char* const begin =
      shared + half * (value_bytes + StageTileBytes(task, sizeof(T)));
  return {reinterpret_cast<T*>(begin),
          reinterpret_cast<T*>(begin + value_bytes)};
}

// Begins to copy tiles [first_depth, first_depth + depth_tiles) of the depth:
// a warp takes one tile at a time.
template <typename T, typename Warp>
FD_KERNEL void CopyTiles(const StageTask& task, const StageColumns& columns,
                         const T* matrix, int first_depth, int depth_tiles,
                         T* tiles, Warp& warp) {
  constexpr int kVectors = kStageTileElements / kStageVector;
  constexpr int kRowVectors = kStageTile / kStageVector;
  int k = 0;
  int n = warp.index();
  while (true) {
    while (n >= columns.tiles) {
      n -= columns.tiles;
      ++k;
    }
    if (k >= depth_tiles) return;
    const T* const from =
        matrix + (static_cast<int64_t>(first_depth + k) * columns.all +
                  columns.first + n) *
                     kStageTileElements;
    T* const to =
        tiles + (k * task.block_tiles + n) * kStageTile * kStageTilePitch;
    warp.ForEachLane([&](auto& lane) {
      const int i = lane.index();
      static_assert(kVectors == 32, "one vector a lane");
      lane.CopyAsync(from + i * kStageVector,
                     to + i / kRowVectors * kStageTilePitch +
                         i % kRowVectors * kStageVector);
    });
    n += kStageWarps;
  }
}

// Where f's values go: `vectors` vectors a pixel, from element `begin` of f on.
template <typename T>
struct StageValues {
  T* values;
  int pitch;
  int rows;
  int begin;
  int vectors;
};

// A dense convolution's window is copied as it is: ReLU is applied where it is
// multiplied, so that nothing waits for it here.
template <typename T, typename Lane>
FD_KERNEL void GatherDense(const StageSegment& segment, const T* arena,
                           const StagePixel* pixels, const StageValues<T>& to,
                           Lane& lane) {
  const StageMap& in = segment.in;
  const StageShare share = ShareOf(lane.thread(), to.vectors);
  int channel = to.begin + share.vector * kStageVector;
  int row_offset = -segment.pad_top;
  int column_offset = -segment.pad_left;
  if (segment.kernel_height * segment.kernel_width != 1) {
    const int tap = channel / in.channels;
    channel -= tap * in.channels;
    const int kernel_row = tap / segment.kernel_width;
    row_offset += kernel_row * segment.dilation;
    column_offset +=
        (tap - kernel_row * segment.kernel_width) * segment.dilation;
  }
  T* const values = to.values + share.vector * kStageVector;
  for (int p = share.first; p < to.rows; p += share.step) {
    const StagePixel pixel = pixels[p];
    if (pixel.row < 0) break;
    const int row = pixel.row * segment.stride_height + row_offset;
    const int column = pixel.column * segment.stride_width + column_offset;
    if (Within(row, in.height) && Within(column, in.width)) {
      lane.CopyAsync(
          AtVector(arena, VectorOf(in, pixel.image, row, column, channel)),
          values + p * to.pitch);
    } else {
      lane.Store(ZeroVector<T>(), values + p * to.pitch);
    }
  }
}

// A depthwise convolution of any kernel, stride and dilation, a pixel at a
// time. Taps are loaded several at a time, which is what decides while there
// are few threads.
template <typename T, typename Lane>
FD_KERNEL void Depthwise(const StageSegment& segment, const T* arena,
                         const T* weights, const StagePixel* pixels,
                         const StageValues<T>& to, Lane& lane) {
  constexpr int kBatch = sizeof(T) == sizeof(float) ? 3 : 9;
  const StageMap& in = segment.in;
  const StageShare share = ShareOf(lane.thread(), to.vectors);
  const int channel = to.begin + share.vector * kStageVector;
  const uint32_t kernel = VectorOf(segment.depthwise + channel);
  const uint32_t floor = segment.relu != 0 ? 0 : LowestWord<T>();
  const int taps = segment.kernel_height * segment.kernel_width;
  const int kernel_width = segment.kernel_width;
  const int dilation = segment.dilation;
  const int height = in.height;
  const int width = in.width;
  // From a tap to the next, and from the last of a row to the next row's first.
  const uint32_t step = dilation * PixelVectors(in);
  const uint32_t next_row =
      static_cast<uint32_t>(width - kernel_width + 1) * step;
  const uint32_t weight_step =
      static_cast<uint32_t>(in.channels) / kStageVector;
  FD_UNROLL_BY(1)
  for (int p = share.first; p < to.rows; p += share.step) {
    const StagePixel pixel = pixels[p];
    if (pixel.row < 0) break;
    float sums[kStageVector] = {};
    const int first_column =
        pixel.column * segment.stride_width - segment.pad_left;
    int row = pixel.row * segment.stride_height - segment.pad_top;
    int column = first_column;
    int kernel_column = 0;
    uint32_t at = VectorOf(in, pixel.image, row, column, channel);
    uint32_t weight_at = kernel;
    FD_UNROLL_BY(1)
    for (int first = 0; first < taps; first += kBatch) {
      ElementVector<T> x[kBatch];
      ElementVector<T> w[kBatch];
      FD_UNROLL
      for (int i = 0; i < kBatch; ++i) {
        const bool exists = first + i < taps;
        x[i] = ZeroVector<T>();
        w[i] = ZeroVector<T>();
        if (exists & Within(row, height) & Within(column, width)) {
          x[i] = LoadVector(AtVector(arena, at));
        }
        if (exists) w[i] = LoadConstantVector(AtVector(weights, weight_at));
        weight_at += weight_step;
        ++kernel_column;
        const bool last = kernel_column == kernel_width;
        at += last ? next_row : step;
        column = last ? first_column : column + dilation;
        row += last ? dilation : 0;
        kernel_column = last ? 0 : kernel_column;
      }
      FD_UNROLL
      for (int i = 0; i < kBatch; ++i) {
        RaiseTo(floor, x[i]);
        float value[kStageVector];
        float weight[kStageVector];
        Unpack(x[i], value);
        Unpack(w[i], weight);
        FD_UNROLL
        for (int c = 0; c < kStageVector; ++c) sums[c] += value[c] * weight[c];
      }
    }
    lane.Store(PackVector<T>(sums),
               to.values + p * to.pitch + share.vector * kStageVector);
  }
}

// Pixels of a row that a thread makes together where there is work enough: they
// share what they read, and its conversion to float.
inline constexpr int kSlidePixels = 4;

// The same for stride 1, a square kernel and out.width a multiple of
// kSlidePixels.
template <int kKernel, int kDilation, typename T, typename Lane>
FD_KERNEL void SlideDepthwise(const StageSegment& segment, const T* arena,
                              const T* weights, const StagePixel* pixels,
                              const StageValues<T>& to, Lane& lane) {
  constexpr int kColumns = kSlidePixels + (kKernel - 1) * kDilation;
  // Columns that are loaded at a time: as many as registers hold.
  constexpr int kBatch = kKernel == 3 ? kColumns : 4;
  static_assert(kColumns % kBatch == 0, "whole batches");
  const StageMap& in = segment.in;
  const StageShare share = ShareOf(lane.thread(), to.vectors);
  const int channel = to.begin + share.vector * kStageVector;
  const uint32_t floor = segment.relu != 0 ? 0 : LowestWord<T>();
  FD_UNROLL_BY(1)
  for (int g = share.first; g * kSlidePixels < to.rows; g += share.step) {
    const int p = g * kSlidePixels;
    const StagePixel pixel = pixels[p];
    if (pixel.row < 0) break;
    const int column = pixel.column - segment.pad_left;
    int row = pixel.row - segment.pad_top;
    uint32_t line = VectorOf(in, pixel.image, row, column, channel);
    uint32_t kernel = VectorOf(segment.depthwise + channel);
    float sums[kSlidePixels][kStageVector] = {};
    FD_UNROLL_BY(1)
    for (int r = 0; r < kKernel; ++r) {
      const int here = Within(row, in.height) ? in.width : 0;
      float weight[kKernel][kStageVector];
      {
        ElementVector<T> w[kKernel];
        FD_UNROLL
        for (int s = 0; s < kKernel; ++s) {
          w[s] = LoadConstantVector(AtVector(weights, kernel));
          kernel += static_cast<uint32_t>(in.channels) / kStageVector;
        }
        FD_UNROLL
        for (int s = 0; s < kKernel; ++s) Unpack(w[s], weight[s]);
      }
      FD_UNROLL
      for (int first = 0; first < kColumns; first += kBatch) {
        ElementVector<T> x[kBatch];
        FD_UNROLL
        for (int i = 0; i < kBatch; ++i) {
          x[i] = ZeroVector<T>();
          if (Within(column + first + i, here)) {
            x[i] = LoadVector(
                AtVector(arena, line + (first + i) * PixelVectors(in)));
          }
        }
        FD_UNROLL
        for (int i = 0; i < kBatch; ++i) {
          RaiseTo(floor, x[i]);
          float value[kStageVector];
          Unpack(x[i], value);
          FD_UNROLL
          for (int s = 0; s < kKernel; ++s) {
            const int q = first + i - s * kDilation;
            if (q < 0 || q >= kSlidePixels) continue;
            FD_UNROLL
            for (int c = 0; c < kStageVector; ++c) {
              sums[q][c] += value[c] * weight[s][c];
            }
          }
        }
      }
      row += kDilation;
      line += static_cast<uint32_t>(kDilation * in.width) * PixelVectors(in);
    }
    FD_UNROLL
    for (int q = 0; q < kSlidePixels; ++q) {
      lane.Store(PackVector<T>(sums[q]),
                 to.values + (p + q) * to.pitch + share.vector * kStageVector);
    }
  }
}

// Whether a segment's depthwise convolution is one for SlideDepthwise, and
// there are enough threads with something to do in it.
template <typename T>
FD_KERNEL bool Slides(const StageTask& task, const StageSegment& segment,
                      const StageValues<T>& to) {
  return sizeof(T) != sizeof(float) && segment.stride_height == 1 &&
         segment.stride_width == 1 &&
         segment.kernel_height == segment.kernel_width &&
         (segment.kernel_width == 3 || segment.kernel_width == 5) &&
         (segment.dilation == 1 || segment.dilation == 2) &&
         task.out.width % kSlidePixels == 0 &&
         to.rows / kSlidePixels * to.vectors >= kStageThreads / 2;
}

template <typename T, typename Lane>
FD_KERNEL void MakeValues(const StageTask& task, const StageSegment& segment,
                          const T* arena, const T* weights,
                          const StagePixel* pixels, const StageValues<T>& to,
                          int depth, Lane& lane) {
  if (to.vectors * kStageVector < depth && lane.thread() < to.rows) {
    lane.Store(ZeroVector<T>(), to.values + lane.thread() * to.pitch +
                                    to.vectors * kStageVector);
  }
  if (segment.kind == StageSegment::kDense) {
    GatherDense(segment, arena, pixels, to, lane);
  } else if (!Slides(task, segment, to)) {
    Depthwise(segment, arena, weights, pixels, to, lane);
  } else if constexpr (sizeof(T) != sizeof(float)) {
    if (segment.kernel_width == 3) {
      if (segment.dilation == 1) {
        SlideDepthwise<3, 1>(segment, arena, weights, pixels, to, lane);
      } else {
        SlideDepthwise<3, 2>(segment, arena, weights, pixels, to, lane);
      }
    } else {
      if (segment.dilation == 1) {
        SlideDepthwise<5, 1>(segment, arena, weights, pixels, to, lane);
      } else {
        SlideDepthwise<5, 2>(segment, arena, weights, pixels, to, lane);
      }
    }
  }
}

// A warp's part of a block's tiles: a row of them, and of that every
// columns.warps-th from `first` on.
struct StagePart {
  int row;
  int first;
  int tiles;
};

FD_KERNEL StagePart PartOf(const StageColumns& columns, int warp) {
  StagePart part;
  part.row = warp >> columns.warps_log;
  part.first = warp - (part.row << columns.warps_log);
  part.tiles =
      (columns.tiles - part.first + columns.warps - 1) >> columns.warps_log;
  return part;
}

// What a warp multiplies.
template <typename T>
struct StageProduct {
  const T* values;
  int pitch;
  const T* tiles;
  int row_tiles;  // from a tile to the one below
  int step;       // to the next one to the right
  int depth_tiles;
  uint32_t floor;
};

template <int kFragments, typename T, typename Block, typename Warp>
FD_KERNEL void MultiplyTensor(
    const StageProduct<T>& product,
    typename Block::template PerThread<StageSums>& sums, Warp& warp) {
  FD_UNROLL_BY(kFragments > 3 ? 1 : 4)
  for (int k = 0; k < product.depth_tiles; ++k) {
    typename Block::template PerLane<StageFragment> a;
    warp.template LoadMatrices<T>(
        [&](int lane) {
          return product.values + lane % kStageTile * product.pitch +
                 k * kStageTile + lane / kStageTile * kStageVector;
        },
        a);
    warp.ForEachLane([&](auto& lane) {
      FD_UNROLL
      for (uint32_t& word : lane.of(a).words) {
        word = ElementWord<T>::Maximum(word, product.floor);
      }
    });
    FD_UNROLL
    for (int f = 0; f < kFragments; ++f) {
      typename Block::template PerLane<StageFragment> b;
      const T* const tile =
          product.tiles + (k * product.row_tiles + f * product.step) *
                              kStageTile * kStageTilePitch;
      warp.template LoadTransposedMatrices<T>(
          [&](int lane) {
            return tile + lane % kStageTile * kStageTilePitch +
                   lane / kStageTile * kStageVector;
          },
          b);
      warp.template MultiplyAdd<T>(a, b, 0, f, sums);
      warp.template MultiplyAdd<T>(a, b, 2, f, sums);
    }
  }
}

// A lane's rows and columns of a tile of sums in float: rows 4 i + lane / 8 and
// columns 2 (lane % 8) + j.
template <int kFragments, typename Block, typename Warp>
FD_KERNEL void MultiplyFloat(
    const StageProduct<float>& product,
    typename Block::template PerThread<StageSums>& sums, Warp& warp) {
  constexpr int kStep = 4;  // depth that is loaded at a time
  warp.ForEachLane([&](auto& lane) {
    StageSums& sum = lane.of(sums);
    const float* const values =
        product.values + lane.index() / 8 * product.pitch;
    const float* const tiles = product.tiles + lane.index() % 8 * 2;
    FD_UNROLL_BY(1)
    for (int k = 0; k < product.depth_tiles * kStageTile; k += kStep) {
      float a[4][kStep];
      FD_UNROLL
      for (int i = 0; i < 4; ++i) {
        lane.template Load<kStep>(values + i * 4 * product.pitch + k, a[i]);
        FD_UNROLL
        for (float& value : a[i]) {
          value = FloatOfBits(
              ElementWord<float>::Maximum(FloatBits(value), product.floor));
        }
      }
      const float* const tile =
          tiles +
          (k / kStageTile * product.row_tiles * kStageTile + k % kStageTile) *
              kStageTilePitch;
      FD_UNROLL
      for (int f = 0; f < kFragments; ++f) {
        FD_UNROLL
        for (int kk = 0; kk < kStep; ++kk) {
          float b[2];
          lane.template Load<2>(
              tile + (f * product.step * kStageTile + kk) * kStageTilePitch, b);
          FD_UNROLL
          for (int i = 0; i < 4; ++i) {
            sum.value[f][2 * i] += a[i][kk] * b[0];
            sum.value[f][2 * i + 1] += a[i][kk] * b[1];
          }
        }
      }
    }
  });
}

template <int kFragments, typename T, typename Block, typename Warp>
FD_KERNEL void MultiplyFragments(
    int fragments, const StageProduct<T>& product,
    typename Block::template PerThread<StageSums>& sums, Warp& warp) {
  if constexpr (kFragments > 0) {
    if (fragments < kFragments) {
      MultiplyFragments<kFragments - 1, T, Block>(fragments, product, sums,
                                                  warp);
    } else if constexpr (sizeof(T) == sizeof(float)) {
      MultiplyFloat<kFragments, Block>(product, sums, warp);
    } else {
      MultiplyTensor<kFragments, T, Block>(product, sums, warp);
    }
  }
}

// Row and column of values[fragment][2 * pair] in a tile; the next one is to
// its right.
template <typename T>
FD_KERNEL int SumRow(int lane, int pair) {
  return sizeof(T) == sizeof(float) ? 4 * pair + lane / 8
                                    : lane / 4 + 8 * (pair % 2);
}
template <typename T>
FD_KERNEL int SumColumn(int lane, int pair) {
  return sizeof(T) == sizeof(float) ? 2 * (lane % 8)
                                    : 2 * (lane % 4) + 8 * (pair / 2);
}

// Adds scale * g(x) of eight channels of a pixel to `sums`.
template <typename T>
FD_KERNEL void AddDirect(const StageDirect& direct, const T* arena,
                         const float* image, const StagePixel& pixel,
                         int channel, float (&sums)[kStageVector]) {
  const StageMap& in = direct.in;
  float value[kStageVector] = {};
  float scale = direct.scale;
  if (direct.kind == StageDirect::kImage) {
    const int64_t plane = static_cast<int64_t>(in.height) * in.width;
    const float* const from =
        image +
        (static_cast<int64_t>(pixel.image) * in.channels + channel) * plane +
        pixel.row * in.width + pixel.column;
    FD_UNROLL
    for (int c = 0; c < kStageVector; ++c) {
      if (channel + c < in.channels) value[c] = from[c * plane];
    }
  } else if (direct.kind == StageDirect::kCopy) {
    Unpack(LoadVector(AtVector(arena, VectorOf(in, pixel.image, pixel.row,
                                               pixel.column, channel))),
           value);
  } else if (direct.kind == StageDirect::kMapAverage) {
    constexpr int kBatch = sizeof(T) == sizeof(float) ? 4 : 8;
    FD_UNROLL_BY(1)
    for (int row = 0; row < direct.window_height; ++row) {
      FD_UNROLL_BY(1)
      for (int first = 0; first < direct.window_width; first += kBatch) {
        ElementVector<T> x[kBatch];
        FD_UNROLL
        for (int i = 0; i < kBatch; ++i) {
          x[i] = ZeroVector<T>();
          if (first + i < direct.window_width) {
            x[i] = LoadVector(AtVector(
                arena, VectorOf(in, pixel.image, row, first + i, channel)));
          }
        }
        FD_UNROLL
        for (int i = 0; i < kBatch; ++i) {
          float term[kStageVector];
          Unpack(x[i], term);
          FD_UNROLL
          for (int c = 0; c < kStageVector; ++c) value[c] += term[c];
        }
      }
    }
    scale /= static_cast<float>(direct.window_height * direct.window_width);
  } else {  // kMaxPool, kAveragePool
    const bool maximum = direct.kind == StageDirect::kMaxPool;
    const int first_row = pixel.row * direct.stride - 1;
    const int first_column = pixel.column * direct.stride - 1;
    ElementVector<T> largest;
    FD_UNROLL
    for (uint32_t& word : largest.words) word = LowestWord<T>();
    int count = 0;
    FD_UNROLL_BY(1)
    for (int r = 0; r < 3; ++r) {
      if (!Within(first_row + r, in.height)) continue;
      ElementVector<T> x[3];
      FD_UNROLL
      for (int s = 0; s < 3; ++s) {
        const bool present = Within(first_column + s, in.width);
        FD_UNROLL
        for (uint32_t& word : x[s].words) {
          word = maximum ? LowestWord<T>() : 0;
        }
        if (present) {
          x[s] = LoadVector(
              AtVector(arena, VectorOf(in, pixel.image, first_row + r,
                                       first_column + s, channel)));
        }
        count += present ? 1 : 0;
      }
      FD_UNROLL
      for (int s = 0; s < 3; ++s) {
        if (maximum) {
          RaiseTo(x[s], largest);
        } else {
          float term[kStageVector];
          Unpack(x[s], term);
          FD_UNROLL
          for (int c = 0; c < kStageVector; ++c) value[c] += term[c];
        }
      }
    }
    if (maximum) {
      Unpack(largest, value);
    } else {
      scale /= static_cast<float>(count);
    }
  }
  FD_UNROLL
  for (int c = 0; c < kStageVector; ++c) sums[c] += scale * value[c];
}

// Adds up what belongs to the block's elements and writes them. `products` are
// the sums of the segments in shared memory, or null where there are none.
template <typename T, typename Lane>
FD_KERNEL void Finish(const StageArguments& arguments, const StageTask& task,
                      const StageColumns& columns, const StageScratch& scratch,
                      const float* products, Lane& lane) {
  const StageMap& out = task.out;
  T* const arena = static_cast<T*>(arguments.arena);
  const int first_channel = columns.first * kStageTile;
  const int channels = out.channels - first_channel < columns.tiles * kStageTile
                           ? out.channels - first_channel
                           : columns.tiles * kStageTile;
  const StageShare share = ShareOf(lane.thread(), channels / kStageVector);
  const int channel = first_channel + share.vector * kStageVector;
  const int rows = StageRows(task);
  float bias[kStageVector] = {};
  if (task.bias >= 0 && share.first < rows) {
    const ElementVector<float> vector =
        LoadConstantVector(arguments.biases + task.bias + channel);
    Unpack(vector, bias);
  }
  FD_UNROLL_BY(1)
  for (int p = share.first; p < rows; p += share.step) {
    const StagePixel pixel = scratch.pixels[p];
    if (pixel.row < 0) break;
    float sums[kStageVector];
    FD_UNROLL
    for (int c = 0; c < kStageVector; ++c) sums[c] = bias[c];
    if (products != nullptr) {
      float product[kStageVector];
      lane.template Load<kStageVector>(
          products + p * StageSumPitch(task) + share.vector * kStageVector,
          product);
      FD_UNROLL
      for (int c = 0; c < kStageVector; ++c) sums[c] += product[c];
    }
    FD_UNROLL_BY(1)
    for (int d = 0; d < task.directs; ++d) {
      StageDirect direct;
      if (d < StageScratch::kDirects) {
        direct = scratch.directs[d];
      } else {
        direct = arguments.directs[task.first_direct + d];
      }
      AddDirect(direct, arena, arguments.image, pixel, channel, sums);
    }
    if (task.relu != 0) {
      FD_UNROLL
      for (float& sum : sums) sum = sum < 0 ? 0 : sum;
    }
    if (task.logits == 0) {
      StoreVector(PackVector<T>(sums),
                  AtVector(arena, VectorOf(out, pixel.image, pixel.row,
                                           pixel.column, channel)));
    } else {
      float* const to = arguments.logits +
                        static_cast<int64_t>(pixel.image) * task.logits +
                        channel;
      FD_UNROLL
      for (int c = 0; c < kStageVector; ++c) {
        if (channel + c < task.logits) to[c] = sums[c];
      }
    }
  }
}

// A chunk of a segment, and the half of the double buffer it is made in.
struct StageStep {
  int segment = 0;  // of the task
  int begin = 0;    // in its depth
  int half = 0;
};

FD_KERNEL const StageSegment& SegmentOf(const StageScratch& scratch,
                                        const StageStep& step) {
  return scratch.segments[step.segment % StageScratch::kSegments];
}

FD_KERNEL int DepthOf(const StageTask& task, const StageSegment& segment,
                      const StageStep& step) {
  const int rest = segment.depth - step.begin;
  return rest < task.chunk ? rest : task.chunk;
}

// Begins the copies of a step's tiles, and makes its values.
template <typename T, typename Block, typename Warp>
FD_KERNEL void FillHalf(const StageArguments& arguments, const StageStep& step,
                        bool first, Block& block, Warp& warp) {
  StageScratch& scratch = block.scratch();
  const StageTask& task = scratch.task;
  const StageSegment& segment = SegmentOf(scratch, step);
  const T* const weights = static_cast<const T*>(arguments.weights);
  const int depth = DepthOf(task, segment, step);
  const StageHalf<T> half = HalfOf<T>(task, block.shared(), step.half);
  CopyTiles(task, scratch.columns, weights + segment.matrix,
            step.begin / kStageTile, depth / kStageTile, half.tiles, warp);
  if (first) block.AwaitInputs();
  StageValues<T> to;
  to.values = half.values;
  to.pitch = StageValuePitch(task);
  to.rows = StageRows(task);
  to.begin = step.begin;
  int made = segment.in.channels;
  if (segment.kind == StageSegment::kDense) {
    made *= segment.kernel_height * segment.kernel_width;
  }
  made -= step.begin;
  to.vectors = (made < depth ? made : depth) / kStageVector;
  warp.ForEachLane([&](auto& lane) {
    if (lane.thread() == 0) {
      const bool relu =
          segment.kind == StageSegment::kDense && segment.relu != 0;
      scratch.filled[step.half].depth_tiles = depth / kStageTile;
      scratch.filled[step.half].floor = relu ? 0 : LowestWord<T>();
    }
    MakeValues(task, segment, static_cast<const T*>(arguments.arena), weights,
               scratch.pixels, to, depth, lane);
  });
}

template <typename T, typename Block, typename Warp>
FD_KERNEL void MultiplyHalf(int half, Block& block,
                            typename Block::template PerThread<StageSums>& sums,
                            Warp& warp) {
  const StageScratch& scratch = block.scratch();
  const StageTask& task = scratch.task;
  const StageHalf<T> filled = HalfOf<T>(task, block.shared(), half);
  const StagePart part = PartOf(scratch.columns, warp.index());
  StageProduct<T> product;
  product.pitch = StageValuePitch(task);
  product.values = filled.values + part.row * kStageTile * product.pitch;
  product.tiles = filled.tiles + part.first * kStageTile * kStageTilePitch;
  product.row_tiles = task.block_tiles;
  product.step = scratch.columns.warps;
  product.depth_tiles = scratch.filled[half].depth_tiles;
  product.floor = scratch.filled[half].floor;
  warp.Converge();
  MultiplyFragments<kStageFragments, T, Block>(part.tiles, product, sums, warp);
}

// To the next chunk; its segment is then in the scratch.
template <typename Block>
FD_KERNEL void Advance(const StageArguments& arguments, Block& block,
                       StageStep& step) {
  StageScratch& scratch = block.scratch();
  const StageTask& task = scratch.task;
  const StageSegment& segment = SegmentOf(scratch, step);
  step.half ^= 1;
  step.begin += DepthOf(task, segment, step);
  if (step.begin < segment.depth) return;
  step.begin = 0;
  ++step.segment;
  if (step.segment % StageScratch::kSegments != 0 ||
      step.segment >= task.segments) {
    return;
  }
  // A barrier: every thread has read of the last segment what it needs above.
  block.Phase([](auto&) {});
  block.Phase([&](auto& warp) {
    warp.ForEachLane([&](auto& lane) {
      CacheItems(arguments.segments + task.first_segment + step.segment,
                 task.segments - step.segment, StageScratch::kSegments,
                 scratch.segments, lane);
    });
  });
}

}  // namespace internal

template <typename T, typename Block>
FD_KERNEL void RunStageBlock(const StageArguments& arguments, Block& block) {
  using namespace internal;  // NOLINT: of this file

  StageScratch& scratch = block.scratch();
  {
    const StageTask& task =
        arguments.tasks[TaskOfBlock(arguments, block.index())];
    block.Phase([&](auto& warp) {
      warp.ForEachLane([&](auto& lane) {
        CacheItems(&task, 1, 1, &scratch.task, lane);
        CacheItems(arguments.segments + task.first_segment, task.segments,
                   StageScratch::kSegments, scratch.segments, lane);
        CacheItems(arguments.directs + task.first_direct, task.directs,
                   StageScratch::kDirects, scratch.directs, lane);
        const int local = block.index() - task.first_block;
        const int row_block = local / task.column_blocks;
        FillPixels(task, row_block * StageRows(task), scratch.pixels, lane);
        if (lane.thread() == 0) {
          scratch.columns =
              ColumnsOf(task, local - row_block * task.column_blocks);
        }
      });
    });
  }

  // In shared memory, not in registers: there are few of them.
  const StageTask& task = scratch.task;
  const StageColumns& columns = scratch.columns;

  const float* products = nullptr;
  if (task.segments == 0) {
    block.AwaitInputs();
  } else {
    typename Block::template PerThread<StageSums> sums = {};
    StageStep step;
    bool filled = false;  // the half that the last step made
    while (true) {
      const bool more = step.segment < task.segments;
      block.Phase([&](auto& warp) {
        if (more) FillHalf<T>(arguments, step, !filled, block, warp);
        if (filled) MultiplyHalf<T>(step.half ^ 1, block, sums, warp);
        warp.ForEachLane([&](auto& lane) { lane.AwaitCopies(); });
      });
      if (!more) break;
      filled = true;
      Advance(arguments, block, step);
    }
    float* const all = reinterpret_cast<float*>(block.shared());
    block.Phase([&](auto& warp) {
      const StagePart part = PartOf(columns, warp.index());
      warp.ForEachLane([&](auto& lane) {
        float* const to = all + part.row * kStageTile * StageSumPitch(task) +
                          part.first * kStageTile;
        FD_UNROLL
        for (int f = 0; f < kStageFragments; ++f) {
          if (f >= part.tiles) continue;
          FD_UNROLL
          for (int i = 0; i < kStageTileElements / 64; ++i) {
            lane.StorePair(
                lane.of(sums).value[f] + 2 * i,
                to + SumRow<T>(lane.index(), i) * StageSumPitch(task) +
                    (f << columns.warps_log) * kStageTile +
                    SumColumn<T>(lane.index(), i));
          }
        }
      });
    });
    products = all;
  }

  block.Phase([&](auto& warp) {
    warp.ForEachLane([&](auto& lane) {
      Finish<T>(arguments, task, columns, scratch, products, lane);
    });
  });
}

}  // namespace fairdarts

#endif  // OPS_CUDA_STAGE_KERNEL_H_
