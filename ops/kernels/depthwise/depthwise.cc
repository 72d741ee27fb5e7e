#include "ops/kernels/depthwise/depthwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/kernels/depthwise/depthwise.cc"
#include "hwy/foreach_target.h"
// The line before has to come first.
#include "hwy/highway.h"

#ifndef OPS_KERNELS_DEPTHWISE_FRAME_
#define OPS_KERNELS_DEPTHWISE_FRAME_

#include <algorithm>
#include <cstring>
#include <limits>

namespace fairdarts {
namespace {

// Where a plane lies in its frame of zeros. Rows are `row_stride` floats apart;
// the odd columns begin `odd_columns` behind the even ones.
struct Frame {
  int rows;
  int row_stride;
  int odd_columns;
};

inline Frame FrameOf(const DepthwiseShape& shape) {
  const int padded = shape.width + 2 * shape.padding();
  // Whole vectors are loaded from every column that a tap can begin at.
  const int columns = (padded + 1) / 2 + 2 * kPlaneSlack;
  return {shape.height + 2 * shape.padding(), columns * 2, columns};
}

}  // namespace
}  // namespace fairdarts

#endif  // OPS_KERNELS_DEPTHWISE_FRAME_

HWY_BEFORE_NAMESPACE();
namespace fairdarts {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

// What max() with the inputs makes act of them.
inline float LowOf(const DepthwiseArguments& a) {
  return a.relu ? 0.0f : -std::numeric_limits<float>::infinity();
}

// Stride 1: a strip of one or two vectors' width, from the top to the bottom.
//
// A loaded row is worked into the kKernel rows of outputs that it reaches,
// whose sums stay in registers until the last such row has been seen: so each
// input is loaded kKernel times, not kKernel^2. Each weight serves two inputs:
// in the same row, or one below the other.
struct Strip {
  const float* weights;
  const float* in;  // below the first output, in the first row
  float* out;
  int rows;        // of those that are the dilation apart
  int64_t row;     // from one of them to the next
  int64_t second;  // from the first vector of a row to the second
  int valid;       // lanes of the only vector
  float low;
  // For each tap the lanes that lie in the plane: of the second vector for taps
  // right of the middle, else of the first.
  const float* masks;
  const float* zeros;  // as many
};

template <int kKernel, int kDilation, class D>
HWY_NOINLINE void TwoVectors(D d, const Strip& strip) {
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
  constexpr int kMiddle = kKernel / 2;
  using V = hn::Vec<D>;
  const float* HWY_RESTRICT weights = strip.weights;
  const float* HWY_RESTRICT in = strip.in;
  const float* HWY_RESTRICT masks = strip.masks;
  float* HWY_RESTRICT out = strip.out;
  const V low = hn::Set(d, strip.low);
  // Of rows of outputs, kMiddle above the row of inputs first.
  V sums[kKernel][2];
#pragma GCC unroll 8
  for (int t = 0; t < kKernel; ++t) sums[t][0] = sums[t][1] = hn::Zero(d);
  for (int y = 0; y < strip.rows; ++y) {
    // Keeps the compiler from copying the weights to the stack first.
    HWY_FENCE;
#pragma GCC unroll 8
    for (int s = 0; s < kKernel; ++s) {
      const float* const from = in + (s - kMiddle) * kDilation;
      V first = hn::Max(hn::LoadU(d, from), low);
      V second = hn::Max(hn::LoadU(d, from + strip.second), low);
      const V mask = hn::LoadU(d, masks + s * kLanes);
      if (s < kMiddle) first = hn::And(first, mask);
      if (s > kMiddle) second = hn::And(second, mask);
#pragma GCC unroll 8
      for (int t = 0; t < kKernel; ++t) {
        const V w = hn::Set(d, weights[(kKernel - 1 - t) * kKernel + s]);
        sums[t][0] = hn::MulAdd(w, first, sums[t][0]);
        sums[t][1] = hn::MulAdd(w, second, sums[t][1]);
      }
    }
    // What lies above the plane goes to its first row, which comes after it.
    hn::StoreU(sums[0][0], d, out);
    hn::StoreU(sums[0][1], d, out + strip.second);
    if (y >= kMiddle) out += strip.row;
#pragma GCC unroll 8
    for (int t = 0; t < kKernel; ++t) {
      sums[t][0] = t + 1 < kKernel ? sums[t + 1][0] : hn::Zero(d);
      sums[t][1] = t + 1 < kKernel ? sums[t + 1][1] : hn::Zero(d);
    }
    in += strip.row;
  }
#pragma GCC unroll 8
  for (int t = 0; t < kMiddle; ++t) {
    hn::StoreU(sums[t][0], d, out);
    hn::StoreU(sums[t][1], d, out + strip.second);
    if (strip.rows + t >= kMiddle) out += strip.row;
  }
}

template <int kKernel, int kDilation, class D>
HWY_NOINLINE void OneVector(D d, const Strip& strip) {
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
  constexpr int kMiddle = kKernel / 2;
  using V = hn::Vec<D>;
  const float* HWY_RESTRICT weights = strip.weights;
  const float* HWY_RESTRICT in = strip.in;
  const float* HWY_RESTRICT masks = strip.masks;
  float* HWY_RESTRICT out = strip.out;
  const V low = hn::Set(d, strip.low);
  const auto valid = hn::FirstN(d, strip.valid);
  // What a vector holds beyond a short row, the next row overwrites; but rows
  // in between are done already.
  const auto store = [&](V values, float* to) HWY_ATTR {
    if (kDilation > 1) values = hn::IfThenElse(valid, values, hn::LoadU(d, to));
    hn::StoreU(values, d, to);
  };
  V sums[kKernel + 1];
#pragma GCC unroll 8
  for (int t = 0; t <= kKernel; ++t) sums[t] = hn::Zero(d);
  int y = 0;
  for (; y < strip.rows; y += 2) {
    HWY_FENCE;
    // Below the last of an odd number of rows is nothing.
    const bool below = y + 1 < strip.rows;
    const float* const in_below = in + (below ? strip.row : 0);
    const float* const masks_below = below ? masks : strip.zeros;
#pragma GCC unroll 8
    for (int s = 0; s < kKernel; ++s) {
      const int tap = (s - kMiddle) * kDilation;
      V first = hn::Max(hn::LoadU(d, in + tap), low);
      V second = hn::Max(hn::LoadU(d, in_below + tap), low);
      if (s != kMiddle) {
        first = hn::And(first, hn::LoadU(d, masks + s * kLanes));
      }
      second = hn::And(second, hn::LoadU(d, masks_below + s * kLanes));
#pragma GCC unroll 8
      for (int t = 0; t < kKernel; ++t) {
        const V w = hn::Set(d, weights[(kKernel - 1 - t) * kKernel + s]);
        sums[t] = hn::MulAdd(w, first, sums[t]);
        sums[t + 1] = hn::MulAdd(w, second, sums[t + 1]);
      }
    }
    store(sums[0], out);
    if (y >= kMiddle) out += strip.row;
    store(sums[1], out);
    if (y + 1 >= kMiddle) out += strip.row;
#pragma GCC unroll 8
    for (int t = 0; t <= kKernel; ++t) {
      sums[t] = t + 2 <= kKernel ? sums[t + 2] : hn::Zero(d);
    }
    in += 2 * strip.row;
  }
#pragma GCC unroll 8
  for (int t = 0; t < kMiddle; ++t) {
    const int row = y + t - kMiddle;
    if (row < 0 || row >= strip.rows) continue;
    store(sums[t], strip.out + row * strip.row);
  }
}

// All channels of the vectors that begin at `x` and, if it is another one, at
// `second`.
template <int kKernel, int kDilation, class D>
HWY_INLINE void Strips(D d, const DepthwiseArguments& a, int x, int second) {
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
  const DepthwiseShape& shape = a.shape;
  alignas(64) float masks[kKernel * kLanes];
  alignas(64) const float zeros[kKernel * kLanes] = {};
  const auto ones = hn::BitCast(d, hn::Set(hn::RebindToSigned<D>(), -1));
  const auto lane = hn::Iota(d, 0.0f);
  for (int s = 0; s < kKernel; ++s) {
    const int column =
        (s > kKernel / 2 ? second : x) + (s - kKernel / 2) * kDilation;
    const auto begin = hn::Set(d, static_cast<float>(-column));
    const auto end = hn::Set(d, static_cast<float>(shape.width - column));
    const auto inside = hn::And(hn::Ge(lane, begin), hn::Lt(lane, end));
    hn::StoreU(hn::IfThenElseZero(inside, ones), d, masks + s * kLanes);
  }
  Strip strip;
  strip.row = int64_t{kDilation} * shape.width;
  strip.second = second - x;
  strip.valid = std::min(kLanes, shape.width - x);
  strip.low = LowOf(a);
  strip.masks = masks;
  strip.zeros = zeros;
  for (int c = 0; c < shape.channels; ++c) {
    strip.weights = a.weights + c * kKernel * kKernel;
    for (int phase = 0; phase < kDilation && phase < shape.height; ++phase) {
      const int64_t at = int64_t{phase} * shape.width + x;
      strip.in = a.in + c * a.in_stride + at;
      strip.out = a.out + c * a.out_stride + at;
      strip.rows = (shape.height - phase + kDilation - 1) / kDilation;
      if (second > x) {
        TwoVectors<kKernel, kDilation>(d, strip);
      } else {
        OneVector<kKernel, kDilation>(d, strip);
      }
    }
  }
}

// Stride 1. Of two vectors of a row the first has to have all that it needs on
// the right, and the second all on the left; where that is not so, and at the
// end of a row where one is left, each goes alone.
template <int kKernel, int kDilation, class D>
void Planes(D d, const DepthwiseArguments& a) {
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
  constexpr int kPair = 2 * kLanes;
  const int width = a.shape.width;
  const int padding = a.shape.padding();
  const int rest = width % kPair;
  int x = 0;
  if (width >= kLanes + padding && (rest == 0 || rest >= padding)) {
    for (; x + kPair <= width; x += kPair) {
      Strips<kKernel, kDilation>(d, a, x, x + kLanes);
    }
    if (rest > kLanes) {
      const int last = width - kLanes;
      Strips<kKernel, kDilation>(d, a, std::max(0, last - kLanes), last);
      return;
    }
  }
  for (; x < width; x += kLanes) {
    // The last vector ends where the row does.
    const int begin = std::max(0, std::min(x, width - kLanes));
    Strips<kKernel, kDilation>(d, a, begin, begin);
  }
}

// Stride 2: copies the plane into the frame, whose padding stays as it is.
template <class D>
HWY_INLINE void FillFrame(D d, const DepthwiseArguments& a, const float* in,
                          const Frame& frame) {
  const int lanes = static_cast<int>(hn::Lanes(d));
  const int width = a.shape.width;
  const int padding = a.shape.padding();
  const float low = LowOf(a);
  const auto lows = hn::Set(d, low);
  float* row = a.scratch + padding * frame.row_stride;
  for (int y = 0; y < a.shape.height; ++y) {
    // Column x of the plane is column x + padding of the frame.
    float* const first = row + (padding % 2) * frame.odd_columns + padding / 2;
    float* const second =
        row + ((padding + 1) % 2) * frame.odd_columns + (padding + 1) / 2;
    int x = 0;
    for (; x + 2 * lanes <= width; x += 2 * lanes) {
      hn::Vec<D> evens;
      hn::Vec<D> odds;
      hn::LoadInterleaved2(d, in + x, evens, odds);
      hn::StoreU(hn::Max(evens, lows), d, first + x / 2);
      hn::StoreU(hn::Max(odds, lows), d, second + x / 2);
    }
    for (; x < width; ++x) {
      (x % 2 == 0 ? first : second)[x / 2] = std::max(in[x], low);
    }
    in += width;
    row += frame.row_stride;
  }
}

// Where the taps of a block of outputs lie in the frame.
struct Taps {
  const float* weights;
  int kernel;
  int64_t tap_row;     // from one tap to the next below it
  const int* columns;  // where in a row of the frame each tap begins
  int64_t in_row;      // from one row of outputs to the next, in the frame
  int64_t out_row;     // and in the plane
};

// kRows x kColumns vectors of outputs: many sums, since each tap has to wait
// for the one before. Few convolutions have a stride, so nothing is unrolled.
template <int kRows, int kColumns, class D>
HWY_NOINLINE void RunBlock(D d, const Taps& taps, const float* HWY_RESTRICT in,
                           float* HWY_RESTRICT out) {
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
  using V = hn::Vec<D>;
  const float* HWY_RESTRICT weights = taps.weights;
  V sums[kRows][kColumns];
#pragma GCC unroll 8
  for (int t = 0; t < kRows; ++t) {
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) sums[t][c] = hn::Zero(d);
  }
  for (int r = 0; r < taps.kernel; ++r, in += taps.tap_row) {
    for (int s = 0; s < taps.kernel; ++s) {
      const V w = hn::Set(d, *weights++);
      const float* const from = in + taps.columns[s];
#pragma GCC unroll 8
      for (int t = 0; t < kRows; ++t) {
#pragma GCC unroll 8
        for (int c = 0; c < kColumns; ++c) {
          const V x = hn::LoadU(d, from + t * taps.in_row + c * kLanes);
          sums[t][c] = hn::MulAdd(w, x, sums[t][c]);
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int t = 0; t < kRows; ++t) {
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) {
      // What it holds beyond a short row, the next row overwrites.
      hn::StoreU(sums[t][c], d, out + t * taps.out_row + c * kLanes);
    }
  }
}

// All columns of kRows rows.
template <int kRows, class D>
HWY_INLINE void Blocks(D d, const Taps& taps, const float* in, float* out,
                       int width) {
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
  int x = 0;
  for (; x + 2 * kLanes <= width; x += 2 * kLanes) {
    RunBlock<kRows, 2>(d, taps, in + x, out + x);
  }
  while (x < width) {
    // The last vector overlaps the one before where it can.
    x = std::max(0, std::min(x, width - kLanes));
    RunBlock<kRows, 1>(d, taps, in + x, out + x);
    x += kLanes;
  }
}

template <class D>
void StridedPlanes(D d, const DepthwiseArguments& a) {
  constexpr int kRows = 4;
  const DepthwiseShape& shape = a.shape;
  const Frame frame = FrameOf(shape);
  const int height = shape.out_height();
  const int width = shape.out_width();
  int columns[7];
  for (int s = 0; s < shape.kernel; ++s) {
    const int column = s * shape.dilation;
    columns[s] = (column % 2) * frame.odd_columns + column / 2;
  }
  Taps taps;
  taps.kernel = shape.kernel;
  taps.tap_row = int64_t{shape.dilation} * frame.row_stride;
  taps.columns = columns;
  taps.in_row = int64_t{2} * frame.row_stride;
  taps.out_row = width;
  std::memset(a.scratch, 0,
              sizeof(float) * int64_t{frame.rows} * frame.row_stride);
  for (int c = 0; c < shape.channels; ++c) {
    FillFrame(d, a, a.in + c * a.in_stride, frame);
    taps.weights = a.weights + c * shape.kernel * shape.kernel;
    float* const out = a.out + c * a.out_stride;
    for (int y = 0; y < height;) {
      if (height < kRows) {
        Blocks<1>(d, taps, a.scratch + y * taps.in_row, out + y * width, width);
        ++y;
        continue;
      }
      // The last block overlaps the one before.
      y = std::min(y, height - kRows);
      Blocks<kRows>(d, taps, a.scratch + y * taps.in_row, out + y * width,
                    width);
      y += kRows;
    }
  }
}

template <class D>
void Kernels(D d, const DepthwiseArguments& a) {
  const bool dilated = a.shape.dilation == 2;
  if (a.shape.stride == 2) {
    StridedPlanes(d, a);
  } else if (a.shape.kernel == 7) {
    Planes<7, 1>(d, a);
  } else if (a.shape.kernel == 5) {
    if (dilated) {
      Planes<5, 2>(d, a);
    } else {
      Planes<5, 1>(d, a);
    }
  } else if (dilated) {
    Planes<3, 2>(d, a);
  } else {
    Planes<3, 1>(d, a);
  }
}

void Depthwise(const DepthwiseArguments& a) {
  // No longer than a row, unless that is short: half idle lanes of a few small
  // maps are not worth another copy of the code.
#if HWY_TARGET == HWY_AVX3
  if (a.shape.out_width() >= 16) {
    Kernels(hn::CappedTag<float, 16>(), a);
    return;
  }
#endif
  Kernels(hn::CappedTag<float, 8>(), a);
}

#endif  // HWY_TARGET != HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace fairdarts
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include "ops/kernels/select_isa.h"

namespace fairdarts {
namespace {

void DepthwiseReference(const DepthwiseArguments& a) {
  const DepthwiseShape& shape = a.shape;
  const int kernel = shape.kernel;
  for (int c = 0; c < shape.channels; ++c) {
    const float* const in = a.in + c * a.in_stride;
    const float* const weights = a.weights + c * kernel * kernel;
    float* out = a.out + c * a.out_stride;
    for (int y = 0; y < shape.out_height(); ++y) {
      for (int x = 0; x < shape.out_width(); ++x) {
        float sum = 0;
        for (int r = 0; r < kernel; ++r) {
          for (int s = 0; s < kernel; ++s) {
            const int row =
                y * shape.stride + r * shape.dilation - shape.padding();
            const int column =
                x * shape.stride + s * shape.dilation - shape.padding();
            if (row < 0 || row >= shape.height || column < 0 ||
                column >= shape.width) {
              continue;
            }
            const float value = in[int64_t{row} * shape.width + column];
            sum += weights[r * kernel + s] *
                   (a.relu ? std::max(value, 0.0f) : value);
          }
        }
        *out++ = sum;
      }
    }
  }
}

}  // namespace

int64_t DepthwiseScratch(const DepthwiseShape& shape) {
  if (shape.stride == 1) return 0;
  const Frame frame = FrameOf(shape);
  return int64_t{frame.rows} * frame.row_stride;
}

DepthwiseFunction DepthwiseFor(Isa isa) {
  FD_RETURN_ISA(isa, Depthwise, DepthwiseReference);
}

}  // namespace fairdarts

#endif  // HWY_ONCE
