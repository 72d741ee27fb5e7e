#include "ops/kernels/lane_depthwise/lane_depthwise.h"

#include "ops/kernels/lanes.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/kernels/lane_depthwise/lane_depthwise.cc"
#include "hwy/foreach_target.h"
// The line before has to come first.
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace fairdarts {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

using D = hn::CappedTag<float, kLanes>;
using V = hn::Vec<D>;

// A vector holds this many of the lanes of a pixel; tiles take one such part at
// a time, so that as many pixels as possible share a weight in a register.
constexpr int kPart = static_cast<int>(hn::MaxLanes(D()));

// How many columns of the input a tile meets left and right of its own.
constexpr int Padding(int kernel, int dilation) {
  return dilation * (kernel / 2);
}

// One part of kTile successive pixels of an output row, whose column 0 has its
// centre at `in`. Taps outside of the columns [first, last) from there on are
// left out; kInside says that there are none. kFlip turns the kernel by 180
// degrees: at stride 1 that is the transpose.
template <int kKernel, int kStride, int kDilation, bool kFlip, int kTile,
          bool kInside>
HWY_INLINE void Tile(const float* HWY_RESTRICT weights, const float* in,
                     int64_t row, int first_tap, int last_tap, int first,
                     int last, bool accumulate, float* HWY_RESTRICT out) {
  const D d;
  constexpr int kPad = Padding(kKernel, kDilation);
  V sums[kTile];
#pragma GCC unroll 8
  for (int i = 0; i < kTile; ++i) {
    sums[i] = accumulate ? hn::LoadU(d, out + i * kLanes) : hn::Zero(d);
  }
  for (int r = first_tap; r < last_tap; ++r) {
    const float* const line = in + (r * kDilation - kPad) * row;
    V w[kKernel];
#pragma GCC unroll 8
    for (int s = 0; s < kKernel; ++s) {
      const int tap = r * kKernel + s;
      w[s] = hn::Set(d, weights[kFlip ? kKernel * kKernel - 1 - tap : tap]);
    }
#pragma GCC unroll 32
    for (int j = -kPad; j <= (kTile - 1) * kStride + kPad; ++j) {
      if (kStride == 2 && kDilation == 2 && j % 2 != 0) continue;
      if (!kInside && (j < first || j >= last)) continue;
      const V x = hn::LoadU(d, line + j * kLanes);
#pragma GCC unroll 8
      for (int i = 0; i < kTile; ++i) {
        const int t = j + kPad - i * kStride;
        if (t >= 0 && t % kDilation == 0 && t / kDilation < kKernel) {
          sums[i] = hn::MulAdd(w[t / kDilation], x, sums[i]);
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kTile; ++i) hn::StoreU(sums[i], d, out + i * kLanes);
}

// The rows of the kernel that meet the image: r with 0 <= y + r * D - P < size.
struct Taps {
  Taps(int kernel, int dilation, int y, int size) : begin(0), end(kernel) {
    const int padding = Padding(kernel, dilation);
    while (begin < kernel && y + begin * dilation < padding) ++begin;
    while (end > begin && y + (end - 1) * dilation - padding >= size) --end;
  }
  int begin;
  int end;
};

// An output row of `width` pixels, all channels.
template <int kKernel, int kStride, int kDilation, bool kFlip>
void Row(const LaneDepthwiseArguments& a) {
  constexpr int kPad = Padding(kKernel, kDilation);
  const int in_width = a.shape.width;
  const int width = a.shape.out_width();
  const Taps taps(kKernel, kDilation, a.y * kStride, a.shape.height);
  // Equal tiles for the usual sizes: 7 of 28, 14 and 7, else 8.
  const int tile = width % 8 != 0 && width % 7 == 0 ? 7 : 8;
  for (int c = 0; c < a.shape.channels; ++c) {
    const float* const weights = a.weights + c * kKernel * kKernel;
    const float* const in =
        a.from.data + a.y * kStride * a.from.row + c * a.from.channel;
    float* const out = a.to + c * a.to_channel;
    for (int x = 0; x < width;) {
      const int left = width - x;
      const float* const centre = in + int64_t{x} * kStride * kLanes;
      float* const to = out + int64_t{x} * kLanes;
      const int first = -x * kStride;
      const int last = in_width - x * kStride;
      int done = 1;
      for (int part = 0; part < kLanes; part += kPart) {
#define FD_TILE(size, inside)                                                \
  done = size;                                                               \
  Tile<kKernel, kStride, kDilation, kFlip, size, inside>(                    \
      weights, centre + part, a.from.row, taps.begin, taps.end, first, last, \
      a.accumulate, to + part)
        if (left >= tile && tile == 8) {
          if (first <= -kPad && 7 * kStride + kPad < last) {
            FD_TILE(8, true);
          } else {
            FD_TILE(8, false);
          }
        } else if (left >= 7) {
          if (first <= -kPad && 6 * kStride + kPad < last) {
            FD_TILE(7, true);
          } else {
            FD_TILE(7, false);
          }
        } else if (left >= 4) {
          FD_TILE(4, false);
        } else if (left >= 2) {
          FD_TILE(2, false);
        } else {
          FD_TILE(1, false);
        }
#undef FD_TILE
      }
      x += done;
    }
  }
}

// One part of kTile pixels of a row of the input's gradient at stride 2, from
// an even column on; dout is at half that column.
template <int kKernel, int kDilation, int kTile, bool kInside>
HWY_INLINE void TransposedTile(const float* HWY_RESTRICT weights,
                               const float* dout, int64_t row, int y,
                               int dout_height, int first, int last,
                               bool accumulate, float* HWY_RESTRICT out) {
  const D d;
  constexpr int kPad = Padding(kKernel, kDilation);
  V sums[kTile];
#pragma GCC unroll 8
  for (int i = 0; i < kTile; ++i) {
    sums[i] = accumulate ? hn::LoadU(d, out + i * kLanes) : hn::Zero(d);
  }
  for (int r = 0; r < kKernel; ++r) {
    const int twice = y + kPad - r * kDilation;
    if (twice % 2 != 0 || twice < 0 || twice / 2 >= dout_height) continue;
    const float* const line = dout + twice / 2 * row;
    V w[kKernel];
#pragma GCC unroll 8
    for (int s = 0; s < kKernel; ++s) {
      w[s] = hn::Set(d, weights[r * kKernel + s]);
    }
#pragma GCC unroll 16
    for (int j = -(kPad / 2); j <= (kTile - 1 + kPad) / 2; ++j) {
      if (!kInside && (j < first || j >= last)) continue;
      const V x = hn::LoadU(d, line + j * kLanes);
#pragma GCC unroll 8
      for (int i = 0; i < kTile; ++i) {
        const int t = i + kPad - 2 * j;
        if (t >= 0 && t % kDilation == 0 && t / kDilation < kKernel) {
          sums[i] = hn::MulAdd(w[t / kDilation], x, sums[i]);
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kTile; ++i) hn::StoreU(sums[i], d, out + i * kLanes);
}

template <int kKernel, int kDilation>
void TransposedRow(const LaneDepthwiseArguments& a) {
  constexpr int kPad = Padding(kKernel, kDilation);
  const int width = a.shape.width;
  const int dout_height = a.shape.out_height();
  const int dout_width = a.shape.out_width();
  for (int c = 0; c < a.shape.channels; ++c) {
    const float* const weights = a.weights + c * kKernel * kKernel;
    const float* const dout = a.from.data + c * a.from.channel;
    float* const out = a.to + c * a.to_channel;
    for (int x = 0; x < width;) {
      const int left = width - x;
      const float* const half = dout + int64_t{x / 2} * kLanes;
      float* const to = out + int64_t{x} * kLanes;
      const int first = -(x / 2);
      const int last = dout_width - x / 2;
      int done = 1;
      for (int part = 0; part < kLanes; part += kPart) {
#define FD_TILE(size, inside)                                          \
  done = size;                                                         \
  TransposedTile<kKernel, kDilation, size, inside>(                    \
      weights, half + part, a.from.row, a.y, dout_height, first, last, \
      a.accumulate, to + part)
        if (left >= 8) {
          if (first <= -(kPad / 2) && (7 + kPad) / 2 < last) {
            FD_TILE(8, true);
          } else {
            FD_TILE(8, false);
          }
        } else if (left >= 4) {
          FD_TILE(4, false);
        } else if (left >= 2) {
          FD_TILE(2, false);
        } else {
          FD_TILE(1, false);
        }
#undef FD_TILE
      }
      x += done;
    }
  }
}

// The weight gradients of kRows rows of the kernel from one part of kTile
// pixels of dout. All lanes of a sum are added in the end, so that all parts
// share sums; two sets of them where kRows rows are too few for the latency of
// an addition.
template <int kKernel, int kStride, int kDilation, int kTile, int kSets,
          bool kInside>
HWY_INLINE void WeightTile(const float* dout, const float* line, int first,
                           int last, V (&sums)[kSets][kKernel]) {
  const D d;
  constexpr int kPad = Padding(kKernel, kDilation);
  V g[kTile];
#pragma GCC unroll 8
  for (int i = 0; i < kTile; ++i) g[i] = hn::LoadU(d, dout + i * kLanes);
#pragma GCC unroll 32
  for (int j = -kPad; j <= (kTile - 1) * kStride + kPad; ++j) {
    if (kStride == 2 && kDilation == 2 && j % 2 != 0) continue;
    if (!kInside && (j < first || j >= last)) continue;
    const V x = hn::LoadU(d, line + j * kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < kTile; ++i) {
      const int t = j + kPad - i * kStride;
      if (t >= 0 && t % kDilation == 0 && t / kDilation < kKernel) {
        V& sum = sums[i % kSets][t / kDilation];
        sum = hn::MulAdd(g[i], x, sum);
      }
    }
  }
}

template <int kKernel, int kStride, int kDilation, int kSets>
HWY_INLINE void WeightRow(const float* dout, const float* line, int width,
                          int in_width, V (&sums)[kSets][kKernel]) {
  constexpr int kPad = Padding(kKernel, kDilation);
  for (int part = 0; part < kLanes; part += kPart) {
    for (int x = 0; x < width;) {
      const int left = width - x;
      const float* const g = dout + x * kLanes + part;
      const float* const in = line + x * kStride * kLanes + part;
      const int first = -x * kStride;
      const int last = in_width - x * kStride;
      if (left >= 4) {
        if (first <= -kPad && 3 * kStride + kPad < last) {
          WeightTile<kKernel, kStride, kDilation, 4, kSets, true>(g, in, first,
                                                                  last, sums);
        } else {
          WeightTile<kKernel, kStride, kDilation, 4, kSets, false>(g, in, first,
                                                                   last, sums);
        }
        x += 4;
      } else {
        WeightTile<kKernel, kStride, kDilation, 1, kSets, false>(g, in, first,
                                                                 last, sums);
        ++x;
      }
    }
  }
}

template <int kKernel, int kStride, int kDilation>
void WeightGradient(const LaneDepthwiseWeightArguments& a) {
  const D d;
  constexpr int kPad = Padding(kKernel, kDilation);
  // A register file of 16 holds these sums beside a tile.
  constexpr int kSets = kKernel > 5 ? 1 : 2;
  const int width = a.shape.out_width();
  for (int c = 0; c < a.shape.channels; ++c) {
    for (int r = 0; r < kKernel; ++r) {
      V sums[kSets][kKernel];
#pragma GCC unroll 16
      for (int i = 0; i < kSets * kKernel; ++i) {
        sums[i / kKernel][i % kKernel] = hn::Zero(d);
      }
      for (int y = a.begin; y < a.end; ++y) {
        const int in_y = y * kStride + r * kDilation - kPad;
        if (in_y < 0 || in_y >= a.shape.height) continue;
        WeightRow<kKernel, kStride, kDilation>(
            a.dout.data + y * a.dout.row + c * a.dout.channel,
            a.in.data + in_y * a.in.row + c * a.in.channel, width,
            a.shape.width, sums);
      }
      float* const weights = a.weights + (c * kKernel + r) * kKernel;
#pragma GCC unroll 8
      for (int s = 0; s < kKernel; ++s) {
        weights[s] += hn::GetLane(hn::SumOfLanes(
            d,
            kSets == 1 ? sums[0][s] : hn::Add(sums[0][s], sums[kSets - 1][s])));
      }
    }
  }
}

#define FD_EVERY_SHAPE(function)                                              \
  function(3, 1, 1) function(3, 1, 2) function(3, 2, 1) function(3, 2, 2)     \
      function(5, 1, 1) function(5, 1, 2) function(5, 2, 1) function(5, 2, 2) \
          function(7, 1, 1) function(7, 2, 1)

void Forward(const LaneDepthwiseArguments& a) {
  const LaneDepthwiseShape& shape = a.shape;
#define FD_CASE(k, s, d)                                               \
  if (shape.kernel == k && shape.stride == s && shape.dilation == d) { \
    return Row<k, s, d, /*kFlip=*/false>(a);                           \
  }
  FD_EVERY_SHAPE(FD_CASE)
#undef FD_CASE
}

void Gradient(const LaneDepthwiseArguments& a) {
  const LaneDepthwiseShape& shape = a.shape;
#define FD_CASE(k, d)                                           \
  if (shape.kernel == k && shape.dilation == d) {               \
    return shape.stride == 2 ? TransposedRow<k, d>(a)           \
                             : Row<k, 1, d, /*kFlip=*/true>(a); \
  }
  FD_CASE(3, 1)
  FD_CASE(3, 2)
  FD_CASE(5, 1)
  FD_CASE(5, 2)
  FD_CASE(7, 1)
#undef FD_CASE
}

void Weights(const LaneDepthwiseWeightArguments& a) {
  const LaneDepthwiseShape& shape = a.shape;
#define FD_CASE(k, s, d)                                               \
  if (shape.kernel == k && shape.stride == s && shape.dilation == d) { \
    return WeightGradient<k, s, d>(a);                                 \
  }
  FD_EVERY_SHAPE(FD_CASE)
#undef FD_CASE
}

#undef FD_EVERY_SHAPE

#endif  // HWY_TARGET != HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace fairdarts
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include "ops/kernels/select_isa.h"

namespace fairdarts {
namespace {

// Calls visit(y, x, in_y, in_x, tap) for every output pixel and every tap that
// meets the image.
template <typename Visit>
void ForEachTap(const LaneDepthwiseShape& s, const Visit& visit) {
  for (int y = 0; y < s.out_height(); ++y) {
    for (int x = 0; x < s.out_width(); ++x) {
      for (int tap = 0; tap < s.kernel * s.kernel; ++tap) {
        const int in_y =
            y * s.stride + tap / s.kernel * s.dilation - s.padding();
        const int in_x =
            x * s.stride + tap % s.kernel * s.dilation - s.padding();
        if (in_y < 0 || in_y >= s.height || in_x < 0 || in_x >= s.width) {
          continue;
        }
        visit(y, x, in_y, in_x, tap);
      }
    }
  }
}

// to[x] (+)= sum of w * from[from_x], over all taps that lead to row a.y.
template <bool kGradient>
void RowReference(const LaneDepthwiseArguments& a) {
  const LaneDepthwiseShape& s = a.shape;
  const int width = kGradient ? s.width : s.out_width();
  for (int c = 0; c < s.channels; ++c) {
    float* const to = a.to + c * a.to_channel;
    if (!a.accumulate) {
      for (int i = 0; i < width * kLanes; ++i) to[i] = 0;
    }
    ForEachTap(s, [&](int y, int x, int in_y, int in_x, int tap) {
      if ((kGradient ? in_y : y) != a.y) return;
      const float* const from = a.from.data + c * a.from.channel +
                                (kGradient ? y : in_y) * a.from.row +
                                (kGradient ? x : in_x) * kLanes;
      const float w = a.weights[c * s.kernel * s.kernel + tap];
      float* const pixel = to + (kGradient ? in_x : x) * kLanes;
      for (int i = 0; i < kLanes; ++i) pixel[i] += w * from[i];
    });
  }
}

void WeightsReference(const LaneDepthwiseWeightArguments& a) {
  const LaneDepthwiseShape& s = a.shape;
  for (int c = 0; c < s.channels; ++c) {
    ForEachTap(s, [&](int y, int x, int in_y, int in_x, int tap) {
      if (y < a.begin || y >= a.end) return;
      const float* const in =
          a.in.data + c * a.in.channel + in_y * a.in.row + in_x * kLanes;
      const float* const dout =
          a.dout.data + c * a.dout.channel + y * a.dout.row + x * kLanes;
      float sum = 0;
      for (int i = 0; i < kLanes; ++i) sum += dout[i] * in[i];
      a.weights[c * s.kernel * s.kernel + tap] += sum;
    });
  }
}

void Check(const LaneDepthwiseShape& shape) {
  FD_CHECK(shape.kernel == 3 || shape.kernel == 5 || shape.kernel == 7);
  FD_CHECK(shape.stride == 1 || shape.stride == 2);
  FD_CHECK(shape.dilation == 1 || (shape.dilation == 2 && shape.kernel < 7));
}

}  // namespace

LaneDepthwiseFunction LaneDepthwiseFor(Isa isa,
                                       const LaneDepthwiseShape& shape) {
  Check(shape);
  FD_RETURN_ISA(isa, Forward, RowReference<false>);
}

LaneDepthwiseFunction LaneDepthwiseGradientFor(
    Isa isa, const LaneDepthwiseShape& shape) {
  Check(shape);
  FD_RETURN_ISA(isa, Gradient, RowReference<true>);
}

LaneDepthwiseWeightFunction LaneDepthwiseWeightGradientFor(
    Isa isa, const LaneDepthwiseShape& shape) {
  Check(shape);
  FD_RETURN_ISA(isa, Weights, WeightsReference);
}

}  // namespace fairdarts

#endif  // HWY_ONCE
