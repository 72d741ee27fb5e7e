#include "ops/kernels/lane_norm/lane_norm.h"

#include "ops/kernels/lanes.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/kernels/lane_norm/lane_norm.cc"
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
constexpr int kPart = static_cast<int>(hn::MaxLanes(D()));

// The vectors of a pixel.
constexpr int kParts = kLanes / kPart;

// max(x, 0) of a NaN is one: x86 gives the second operand where one of both is
// a NaN, Arm the number.
HWY_INLINE V Relu(V x) {
#if HWY_ARCH_ARM
  return hn::IfThenZeroElse(hn::Lt(x, hn::Zero(D())), x);
#else
  return hn::Max(hn::Zero(D()), x);
#endif
}

HWY_INLINE void AddTo(float* to, V value) {
  const D d;
  hn::StoreU(hn::Add(hn::LoadU(d, to), value), d, to);
}

// Asks for what the same input holds some tiles on: sums of many inputs wait
// for memory, and this is worth 2 to 3 % of a search step.
template <int kTile>
HWY_INLINE void PrefetchAhead(const float* y) {
  constexpr int kAhead = 64 * kLanes;
  constexpr int kLine = 16;
#pragma GCC unroll 8
  for (int i = 0; i < kTile * kPart; i += kLine) {
    __builtin_prefetch(y + kAhead + i, 0, 3);
  }
}

void Sums(const LaneSumsArguments& a) {
  const D d;
  const float* y = a.y;
  for (int c = 0; c < a.shape.channels; ++c, y += a.shape.width * kLanes) {
    V sums[kParts];
    V squares[kParts];
#pragma GCC unroll 4
    for (int p = 0; p < kParts; ++p) sums[p] = squares[p] = hn::Zero(d);
    for (int x = 0; x < a.shape.width; ++x) {
#pragma GCC unroll 4
      for (int p = 0; p < kParts; ++p) {
        const V v = hn::LoadU(d, y + x * kLanes + p * kPart);
        sums[p] = hn::Add(sums[p], v);
        squares[p] = hn::MulAdd(v, v, squares[p]);
      }
    }
#pragma GCC unroll 4
    for (int p = 0; p < kParts; ++p) {
      AddTo(a.sum + c * kLanes + p * kPart, sums[p]);
      AddTo(a.squares + c * kLanes + p * kPart, squares[p]);
    }
  }
}

// kTile vectors of g, which stay in registers, against each input.
template <int kTile>
HWY_INLINE void DotsTile(const LaneDotsArguments& a, int channel,
                         int64_t offset) {
  const D d;
  V g[kTile];
#pragma GCC unroll 8
  for (int i = 0; i < kTile; ++i) {
    g[i] = hn::LoadU(d, a.g + offset + i * kPart);
  }
#pragma GCC unroll 4
  for (int p = 0; p < kParts; ++p) {
    V sum = g[p];
#pragma GCC unroll 8
    for (int i = p + kParts; i < kTile; i += kParts) sum = hn::Add(sum, g[i]);
    AddTo(a.sum + channel * kLanes + p * kPart, sum);
  }
  for (int n = 0; n < a.inputs; ++n) {
    const float* const y = a.y[n] + offset;
    PrefetchAhead<kTile>(y);
    float* const dots =
        a.dots + (int64_t{n} * a.shape.channels + channel) * kLanes;
#pragma GCC unroll 4
    for (int p = 0; p < kParts; ++p) {
      V dot = hn::Mul(g[p], hn::LoadU(d, y + p * kPart));
#pragma GCC unroll 8
      for (int i = p + kParts; i < kTile; i += kParts) {
        dot = hn::MulAdd(g[i], hn::LoadU(d, y + i * kPart), dot);
      }
      AddTo(dots + p * kPart, dot);
    }
  }
}

void Dots(const LaneDotsArguments& a) {
  constexpr int kTile = 8;
  const int64_t size = int64_t{a.shape.width} * kLanes;
  for (int c = 0; c < a.shape.channels; ++c) {
    int64_t i = 0;
    for (; i + kTile * kPart <= size; i += kTile * kPart) {
      DotsTile<kTile>(a, c, c * size + i);
    }
    for (; i < size; i += kLanes) DotsTile<kParts>(a, c, c * size + i);
  }
}

// kTile vectors from a whole pixel on, or, where kTile is 1, from any vector.
template <int kTile, bool kRelu, bool kLaneFactors>
HWY_INLINE void WeightedTile(const LaneWeightedSumArguments& a, int channel,
                             int64_t offset, float* to) {
  const D d;
  // Vectors that differ in their factors.
  constexpr int kFactors = !kLaneFactors ? 1 : kTile < kParts ? kTile : kParts;
  const int part = kLaneFactors ? static_cast<int>(offset % kLanes) : 0;
  const auto load = [&](const float* values, int64_t index,
                        V(&vectors)[kFactors]) HWY_ATTR {
#pragma GCC unroll 4
    for (int p = 0; p < kFactors; ++p) {
      vectors[p] =
          kLaneFactors
              ? hn::LoadU(d, values + index * kLanes + part + p * kPart)
              : hn::Set(d, values[index]);
    }
  };
  V sums[kTile];
  V terms[kFactors];
  load(a.terms, channel, terms);
#pragma GCC unroll 8
  for (int i = 0; i < kTile; ++i) sums[i] = terms[i % kFactors];
  for (int n = 0; n < a.inputs; ++n) {
    V factors[kFactors];
    load(a.factors, int64_t{n} * a.shape.channels + channel, factors);
    const float* const y = a.y[n] + offset;
    PrefetchAhead<kTile>(y);
#pragma GCC unroll 8
    for (int i = 0; i < kTile; ++i) {
      sums[i] = hn::MulAdd(factors[i % kFactors], hn::LoadU(d, y + i * kPart),
                           sums[i]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kTile; ++i) {
    hn::StoreU(kRelu ? Relu(sums[i]) : sums[i], d, to + i * kPart);
  }
}

template <bool kRelu, bool kLaneFactors>
void WeightedSumOf(const LaneWeightedSumArguments& a) {
  constexpr int kTile = 8;
  const int64_t size = int64_t{a.shape.width} * kLanes;
  for (int c = 0; c < a.shape.channels; ++c) {
    float* const to = a.to + c * a.to_channel;
    int64_t i = 0;
    for (; i + kTile * kPart <= size; i += kTile * kPart) {
      WeightedTile<kTile, kRelu, kLaneFactors>(a, c, c * size + i, to + i);
    }
    for (; i < size; i += kPart) {
      WeightedTile<1, kRelu, kLaneFactors>(a, c, c * size + i, to + i);
    }
  }
}

void WeightedSum(const LaneWeightedSumArguments& a) {
  if (a.lane_factors) {
    a.relu ? WeightedSumOf<true, true>(a) : WeightedSumOf<false, true>(a);
  } else {
    a.relu ? WeightedSumOf<true, false>(a) : WeightedSumOf<false, false>(a);
  }
}

void MaskedDots(const LaneMaskedDotsArguments& a) {
  const D d;
  const float* y = a.y;
  float* g = a.g;
  const int size = a.shape.width * kLanes;
  for (int c = 0; c < a.shape.channels; ++c, y += size, g += size) {
    const V factor = hn::Set(d, a.factors[c]);
    const V term = hn::Set(d, a.terms[c]);
    V sums[kParts];
    V dots[kParts];
#pragma GCC unroll 4
    for (int p = 0; p < kParts; ++p) sums[p] = dots[p] = hn::Zero(d);
    for (int i = 0; i < size; i += kLanes) {
#pragma GCC unroll 4
      for (int p = 0; p < kParts; ++p) {
        float* const to = g + i + p * kPart;
        const V v = hn::LoadU(d, y + i + p * kPart);
        const V masked = hn::IfThenElseZero(
            hn::Gt(hn::MulAdd(factor, v, term), hn::Zero(d)), hn::LoadU(d, to));
        hn::StoreU(masked, d, to);
        sums[p] = hn::Add(sums[p], masked);
        dots[p] = hn::MulAdd(masked, v, dots[p]);
      }
    }
#pragma GCC unroll 4
    for (int p = 0; p < kParts; ++p) {
      AddTo(a.sum + c * kLanes + p * kPart, sums[p]);
      AddTo(a.dots + c * kLanes + p * kPart, dots[p]);
    }
  }
}

void ReluRow(const LaneReluArguments& a) {
  const D d;
  const int width = (a.shape.width + a.stride - 1) / a.stride;
  for (int c = 0; c < a.shape.channels; ++c) {
    const float* const from =
        a.x + (int64_t{c} * a.shape.width + a.first) * kLanes;
    float* const to = a.to + c * a.to_channel;
    for (int x = 0; x < width; ++x) {
      const bool inside = a.first + x * a.stride < a.shape.width;
#pragma GCC unroll 4
      for (int p = 0; p < kLanes; p += kPart) {
        const V v = inside ? hn::LoadU(d, from + x * a.stride * kLanes + p)
                           : hn::Zero(d);
        hn::StoreU(Relu(v), d, to + x * kLanes + p);
      }
    }
  }
}

template <bool kMask>
void ReluGradientOf(const LaneReluGradientArguments& a) {
  const D d;
  for (int c = 0; c < a.shape.channels; ++c) {
    const int64_t channel = int64_t{c} * a.shape.width * kLanes;
    const float* g = a.g + c * a.g_channel;
    for (int x = a.first; x < a.shape.width; x += a.stride, g += kLanes) {
#pragma GCC unroll 4
      for (int p = 0; p < kLanes; p += kPart) {
        const int64_t i = channel + x * kLanes + p;
        V v = hn::LoadU(d, g + p);
        if (kMask) {
          v = hn::IfThenElseZero(hn::Gt(hn::LoadU(d, a.x + i), hn::Zero(d)), v);
        }
        AddTo(a.to + i, v);
      }
    }
  }
}

void ReluGradient(const LaneReluGradientArguments& a) {
  a.x != nullptr ? ReluGradientOf<true>(a) : ReluGradientOf<false>(a);
}

#endif  // HWY_TARGET != HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace fairdarts
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include "ops/kernels/select_isa.h"

namespace fairdarts {
namespace {

// In the order in which a NaN stays one.
float ReluOf(float x) { return x <= 0 ? 0 : x; }

// Calls visit(channel, lane, index) for every float of a row.
template <typename Visit>
void ForEach(const LaneRowShape& shape, const Visit& visit) {
  int64_t index = 0;
  for (int c = 0; c < shape.channels; ++c) {
    for (int x = 0; x < shape.width; ++x) {
      for (int lane = 0; lane < kLanes; ++lane) {
        visit(c, c * kLanes + lane, index++);
      }
    }
  }
}

void SumsReference(const LaneSumsArguments& a) {
  ForEach(a.shape, [&](int, int sum, int64_t i) {
    a.sum[sum] += a.y[i];
    a.squares[sum] += a.y[i] * a.y[i];
  });
}

void DotsReference(const LaneDotsArguments& a) {
  ForEach(a.shape, [&](int, int sum, int64_t i) {
    a.sum[sum] += a.g[i];
    for (int n = 0; n < a.inputs; ++n) {
      a.dots[n * a.shape.channels * kLanes + sum] += a.g[i] * a.y[n][i];
    }
  });
}

void WeightedSumReference(const LaneWeightedSumArguments& a) {
  const int64_t size = int64_t{a.shape.width} * kLanes;
  ForEach(a.shape, [&](int c, int lane, int64_t i) {
    const int factor = a.lane_factors ? lane : c;
    const int factors = a.shape.channels * (a.lane_factors ? kLanes : 1);
    float sum = a.terms[factor];
    for (int n = 0; n < a.inputs; ++n) {
      sum += a.factors[n * factors + factor] * a.y[n][i];
    }
    a.to[c * a.to_channel + i - c * size] = a.relu ? ReluOf(sum) : sum;
  });
}

void MaskedDotsReference(const LaneMaskedDotsArguments& a) {
  ForEach(a.shape, [&](int c, int sum, int64_t i) {
    if (!(a.factors[c] * a.y[i] + a.terms[c] > 0)) a.g[i] = 0;
    a.sum[sum] += a.g[i];
    a.dots[sum] += a.g[i] * a.y[i];
  });
}

void ReluReference(const LaneReluArguments& a) {
  const int width = (a.shape.width + a.stride - 1) / a.stride;
  for (int c = 0; c < a.shape.channels; ++c) {
    for (int i = 0; i < width * kLanes; ++i) {
      const int x = a.first + i / kLanes * a.stride;
      a.to[c * a.to_channel + i] =
          x < a.shape.width
              ? ReluOf(
                    a.x[(int64_t{c} * a.shape.width + x) * kLanes + i % kLanes])
              : 0;
    }
  }
}

void ReluGradientReference(const LaneReluGradientArguments& a) {
  ForEach(a.shape, [&](int c, int, int64_t i) {
    const int x = static_cast<int>(i / kLanes % a.shape.width) - a.first;
    if (x < 0 || x % a.stride != 0) return;
    if (a.x != nullptr && !(a.x[i] > 0)) return;
    a.to[i] += a.g[c * a.g_channel + x / a.stride * kLanes + i % kLanes];
  });
}

}  // namespace

LaneSumsFunction LaneSumsFor(Isa isa) {
  FD_RETURN_ISA(isa, Sums, SumsReference);
}

LaneDotsFunction LaneDotsFor(Isa isa) {
  FD_RETURN_ISA(isa, Dots, DotsReference);
}

LaneWeightedSumFunction LaneWeightedSumFor(Isa isa) {
  FD_RETURN_ISA(isa, WeightedSum, WeightedSumReference);
}

LaneMaskedDotsFunction LaneMaskedDotsFor(Isa isa) {
  FD_RETURN_ISA(isa, MaskedDots, MaskedDotsReference);
}

LaneReluFunction LaneReluFor(Isa isa) {
  FD_RETURN_ISA(isa, ReluRow, ReluReference);
}

LaneReluGradientFunction LaneReluGradientFor(Isa isa) {
  FD_RETURN_ISA(isa, ReluGradient, ReluGradientReference);
}

void ClearLanes(const LaneRowShape& shape, int lanes, float* row,
                int64_t channel) {
  for (int c = 0; c < shape.channels; ++c) {
    for (int x = 0; x < shape.width; ++x) {
      for (int lane = lanes; lane < kLanes; ++lane) {
        row[c * channel + x * kLanes + lane] = 0;
      }
    }
  }
}

}  // namespace fairdarts

#endif  // HWY_ONCE
