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

// Shared memory of fixed size, besides the buffers: what would otherwise be
// computed, or waited for, again and again.
struct alignas(16) StageScratch {
  static constexpr int kPixels = kStageTile * kStageWarps;
  // Those of a task beyond are read where they are.
  static constexpr int kSegments = 12;
  static constexpr int kDirects = 12;

  StagePixel pixels[kPixels];
  StageSegment segments[kSegments];
  StageDirect directs[kDirects];
};

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

// What a block makes of its task's matrices.
struct StageColumns {
  int first;  // tile
  int tiles;
  int all;  // tiles of a row of the matrix
};

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
  const T* const from = arena + in.offset + channel;
  T* const values = to.values + share.vector * kStageVector;
  for (int p = share.first; p < to.rows; p += share.step) {
    const StagePixel pixel = pixels[p];
    if (pixel.row < 0) break;
    const int row = pixel.row * segment.stride_height + row_offset;
    const int column = pixel.column * segment.stride_width + column_offset;
    if (Within(row, in.height) && Within(column, in.width)) {
      lane.CopyAsync(from + static_cast<int64_t>(
                                PixelIndex(in, pixel.image, row, column)) *
                                in.pitch,
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
  const T* const from = arena + in.offset + channel;
  const T* const kernel = weights + segment.depthwise + channel;
  const uint32_t floor = segment.relu != 0 ? 0 : LowestWord<T>();
  const int taps = segment.kernel_height * segment.kernel_width;
  FD_NO_UNROLL
  for (int p = share.first; p < to.rows; p += share.step) {
    const StagePixel pixel = pixels[p];
    if (pixel.row < 0) break;
    float sums[kStageVector] = {};
    const int first_column =
        pixel.column * segment.stride_width - segment.pad_left;
    int row = pixel.row * segment.stride_height - segment.pad_top;
    int column = first_column;
    int kernel_column = 0;
    FD_NO_UNROLL
    for (int first = 0; first < taps; first += kBatch) {
      ElementVector<T> x[kBatch];
      ElementVector<T> w[kBatch];
      FD_UNROLL
      for (int i = 0; i < kBatch; ++i) {
        x[i] = ZeroVector<T>();
        w[i] = ZeroVector<T>();
        if (first + i < taps) {
          if (Within(row, in.height) && Within(column, in.width)) {
            x[i] = LoadVector(from + static_cast<int64_t>(PixelIndex(
                                         in, pixel.image, row, column)) *
                                         in.pitch);
          }
          w[i] = LoadConstantVector(kernel + (first + i) * in.channels);
        }
        column += segment.dilation;
        if (++kernel_column == segment.kernel_width) {
          kernel_column = 0;
          column = first_column;
          row += segment.dilation;
        }
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
  const StageMap& in = segment.in;
  const StageShare share = ShareOf(lane.thread(), to.vectors);
  const int channel = to.begin + share.vector * kStageVector;
  const T* const from = arena + in.offset + channel;
  const uint32_t floor = segment.relu != 0 ? 0 : LowestWord<T>();
  FD_NO_UNROLL
  for (int g = share.first; g * kSlidePixels < to.rows; g += share.step) {
    const int p = g * kSlidePixels;
    const StagePixel pixel = pixels[p];
    if (pixel.row < 0) break;
    const int column = pixel.column - segment.pad_left;
    uint32_t present = 0;
    FD_UNROLL
    for (int j = 0; j < kColumns; ++j) {
      present |= Within(column + j, in.width) ? 1u << j : 0;
    }
    int row = pixel.row - segment.pad_top;
    const T* line =
        from + static_cast<int64_t>(PixelIndex(in, pixel.image, row, column)) *
                   in.pitch;
    const T* kernel = weights + segment.depthwise + channel;
    float sums[kSlidePixels][kStageVector] = {};
    FD_NO_UNROLL
    for (int r = 0; r < kKernel; ++r) {
      const uint32_t here = Within(row, in.height) ? present : 0;
      ElementVector<T> x[kColumns];
      ElementVector<T> w[kKernel];
      FD_UNROLL
      for (int j = 0; j < kColumns; ++j) {
        x[j] = ZeroVector<T>();
        if ((here & 1u << j) != 0) {
          x[j] = LoadVector(line + static_cast<int64_t>(j) * in.pitch);
        }
      }
      FD_UNROLL
      for (int s = 0; s < kKernel; ++s) {
        w[s] = LoadConstantVector(kernel + s * in.channels);
      }
      float weight[kKernel][kStageVector];
      FD_UNROLL
      for (int s = 0; s < kKernel; ++s) Unpack(w[s], weight[s]);
      FD_UNROLL
      for (int j = 0; j < kColumns; ++j) {
        RaiseTo(floor, x[j]);
        float value[kStageVector];
        Unpack(x[j], value);
        FD_UNROLL
        for (int s = 0; s < kKernel; ++s) {
          const int q = j - s * kDilation;
          if (q < 0 || q >= kSlidePixels) continue;
          FD_UNROLL
          for (int c = 0; c < kStageVector; ++c) {
            sums[q][c] += value[c] * weight[s][c];
          }
        }
      }
      row += kDilation;
      line += static_cast<int64_t>(kDilation * in.width) * in.pitch;
      kernel += kKernel * in.channels;
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

// What a warp multiplies: a tile's height of values, and every `step`-th tile
// of columns from `first` on.
template <typename T>
struct StageProduct {
  const T* values;
  int pitch;
  const T* tiles;
  int row_tiles;  // tiles of columns in a row of `tiles`
  int first;
  int step;
  int depth_tiles;
  uint32_t floor;  // values are raised to it: 0 is ReLU
};

template <int kFragments, typename T, typename Block, typename Warp>
FD_KERNEL void MultiplyTensor(
    const StageProduct<T>& product,
    typename Block::template PerThread<StageSums>& sums, Warp& warp) {
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
      const T* const tile = product.tiles + (k * product.row_tiles +
                                             product.first + f * product.step) *
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
    const float* const tiles = product.tiles +
                               product.first * kStageTile * kStageTilePitch +
                               lane.index() % 8 * 2;
    FD_NO_UNROLL
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
    Unpack(LoadVector(arena + in.offset + channel +
                      static_cast<int64_t>(PixelIndex(
                          in, pixel.image, pixel.row, pixel.column)) *
                          in.pitch),
           value);
  } else if (direct.kind == StageDirect::kMapAverage) {
    constexpr int kBatch = sizeof(T) == sizeof(float) ? 4 : 8;
    const T* const from =
        arena + in.offset + channel +
        static_cast<int64_t>(PixelIndex(in, pixel.image, 0, 0)) * in.pitch;
    FD_NO_UNROLL
    for (int row = 0; row < direct.window_height; ++row) {
      FD_NO_UNROLL
      for (int first = 0; first < direct.window_width; first += kBatch) {
        ElementVector<T> x[kBatch];
        FD_UNROLL
        for (int i = 0; i < kBatch; ++i) {
          x[i] = ZeroVector<T>();
          if (first + i < direct.window_width) {
            x[i] = LoadVector(from +
                              static_cast<int64_t>(row * in.width + first + i) *
                                  in.pitch);
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
    const T* const from = arena + in.offset + channel;
    ElementVector<T> largest;
    FD_UNROLL
    for (uint32_t& word : largest.words) word = LowestWord<T>();
    int count = 0;
    FD_NO_UNROLL
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
              from + static_cast<int64_t>(PixelIndex(
                         in, pixel.image, first_row + r, first_column + s)) *
                         in.pitch);
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
  FD_NO_UNROLL
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
    FD_NO_UNROLL
    for (int d = 0; d < task.directs; ++d) {
      if (d < StageScratch::kDirects) {
        AddDirect<T>(scratch.directs[d], arena, arguments.image, pixel, channel,
                     sums);
      } else {
        AddDirect<T>(arguments.directs[task.first_direct + d], arena,
                     arguments.image, pixel, channel, sums);
      }
    }
    if (task.relu != 0) {
      FD_UNROLL
      for (float& sum : sums) sum = sum < 0 ? 0 : sum;
    }
    if (task.logits == 0) {
      StoreVector(PackVector<T>(sums),
                  arena + out.offset + channel +
                      static_cast<int64_t>(PixelIndex(
                          out, pixel.image, pixel.row, pixel.column)) *
                          out.pitch);
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

}  // namespace internal

template <typename T, typename Block>
FD_KERNEL void RunStageBlock(const StageArguments& arguments, Block& block) {
  using namespace internal;  // NOLINT: of this file

  const StageTask task = arguments.tasks[TaskOfBlock(arguments, block.index())];
  const T* const arena = static_cast<const T*>(arguments.arena);
  const T* const weights = static_cast<const T*>(arguments.weights);
  StageScratch& scratch = block.scratch();
  const int local = block.index() - task.first_block;
  const int row_block = local / task.column_blocks;
  StageColumns columns;
  columns.all = StageColumnTiles(task);
  columns.first = (local - row_block * task.column_blocks) * task.block_tiles;
  columns.tiles = columns.all - columns.first < task.block_tiles
                      ? columns.all - columns.first
                      : task.block_tiles;
  const int rows = StageRows(task);

  block.Phase([&](auto& warp) {
    warp.ForEachLane([&](auto& lane) {
      CacheItems(arguments.segments + task.first_segment, task.segments,
                 StageScratch::kSegments, scratch.segments, lane);
      CacheItems(arguments.directs + task.first_direct, task.directs,
                 StageScratch::kDirects, scratch.directs, lane);
      FillPixels(task, row_block * rows, scratch.pixels, lane);
    });
  });

  const float* products = nullptr;
  if (task.segments == 0) {
    block.AwaitInputs();
  } else {
    const int row_warps = kStageWarps / task.warp_rows;  // that share a row
    typename Block::template PerThread<StageSums> sums = {};
    StageSegment segment = scratch.segments[0];  // of what is made next
    int number = 0;
    int begin = 0;
    int half = 0;
    int depth_tiles = 0;  // of what is multiplied
    uint32_t floor = 0;
    do {
      const bool more = number < task.segments;
      const int depth =
          more ? (segment.depth - begin < task.chunk ? segment.depth - begin
                                                     : task.chunk)
               : 0;
      block.Phase([&](auto& warp) {
        if (more) {
          const StageHalf<T> next = HalfOf<T>(task, block.shared(), half);
          CopyTiles(task, columns, weights + segment.matrix, begin / kStageTile,
                    depth / kStageTile, next.tiles, warp);
          if (number == 0 && begin == 0) block.AwaitInputs();
          StageValues<T> to;
          to.values = next.values;
          to.pitch = StageValuePitch(task);
          to.rows = rows;
          to.begin = begin;
          const int real = segment.kind == StageSegment::kDense
                               ? segment.kernel_height * segment.kernel_width *
                                     segment.in.channels
                               : segment.in.channels;
          to.vectors =
              (real - begin < depth ? real - begin : depth) / kStageVector;
          warp.ForEachLane([&](auto& lane) {
            MakeValues(task, segment, arena, weights, scratch.pixels, to, depth,
                       lane);
          });
        }
        if (depth_tiles > 0) {
          const StageHalf<T> current =
              HalfOf<T>(task, block.shared(), half ^ 1);
          const int warp_row = warp.index() / row_warps;
          StageProduct<T> product;
          product.pitch = StageValuePitch(task);
          product.values =
              current.values + warp_row * kStageTile * product.pitch;
          product.tiles = current.tiles;
          product.row_tiles = task.block_tiles;
          product.first = warp.index() - warp_row * row_warps;
          product.step = row_warps;
          product.depth_tiles = depth_tiles;
          product.floor = floor;
          MultiplyFragments<kStageFragments, T, Block>(
              (columns.tiles - product.first + row_warps - 1) / row_warps,
              product, sums, warp);
        }
        warp.ForEachLane([&](auto& lane) { lane.AwaitCopies(); });
      });
      depth_tiles = depth / kStageTile;
      if (more) {
        floor = segment.kind == StageSegment::kDense && segment.relu != 0
                    ? 0
                    : LowestWord<T>();
        half ^= 1;
        begin += depth;
        if (begin == segment.depth) {
          begin = 0;
          ++number;
          if (number < task.segments) {
            if (number < StageScratch::kSegments) {
              segment = scratch.segments[number];
            } else {
              segment = arguments.segments[task.first_segment + number];
            }
          }
        }
      }
    } while (depth_tiles > 0);

    float* const all = reinterpret_cast<float*>(block.shared());
    block.Phase([&](auto& warp) {
      const int warp_row = warp.index() / row_warps;
      const int first = warp.index() - warp_row * row_warps;
      warp.ForEachLane([&](auto& lane) {
        FD_UNROLL
        for (int f = 0; f < kStageFragments; ++f) {
          const int tile = first + f * row_warps;
          if (tile >= columns.tiles) continue;
          FD_UNROLL
          for (int i = 0; i < kStageTileElements / 64; ++i) {
            const int row = warp_row * kStageTile + SumRow<T>(lane.index(), i);
            const int column =
                tile * kStageTile + SumColumn<T>(lane.index(), i);
            lane.StorePair(lane.of(sums).value[f] + 2 * i,
                           all + row * StageSumPitch(task) + column);
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
