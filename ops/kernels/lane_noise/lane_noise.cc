#include "ops/kernels/lane_noise/lane_noise.h"

#include "ops/kernels/lanes.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/kernels/lane_noise/lane_noise.cc"
#include "hwy/foreach_target.h"
// The line before has to come first.
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace fairdarts {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

using D = hn::CappedTag<float, kLanes>;
using D32 = hn::Repartition<uint32_t, D>;
using DSigned = hn::Repartition<int32_t, D>;
using D64 = hn::Repartition<uint64_t, D>;
using V = hn::Vec<D>;
using V32 = hn::Vec<D32>;
using V64 = hn::Vec<D64>;
constexpr int kPart = static_cast<int>(hn::MaxLanes(D()));

// The increment and the multipliers of SplitMix64 (fairdarts/base/random.h).
constexpr uint64_t kNoiseGamma = 0x9E3779B97F4A7C15;
constexpr uint64_t kNoiseMix1 = 0xBF58476D1CE4E5B9;
constexpr uint64_t kNoiseMix2 = 0x94D049BB133111EB;

// The low 64 bits of a * b.
HWY_INLINE V64 NoiseTimes(V64 a, uint64_t b) {
  const D32 d;
  const V32 b_low = hn::Set(d, static_cast<uint32_t>(b));
  const V32 b_high = hn::Set(d, static_cast<uint32_t>(b >> 32));
  const V32 a_low = hn::BitCast(d, a);
  const V32 a_high = hn::BitCast(d, hn::ShiftRight<32>(a));
  const V64 cross =
      hn::Add(hn::MulEven(a_low, b_high), hn::MulEven(a_high, b_low));
  return hn::Add(hn::MulEven(a_low, b_low), hn::ShiftLeft<32>(cross));
}

// Of the streams of these keys the element at `offset` = (i + 1) * gamma.
HWY_INLINE V64 NoiseElement(const uint64_t* keys, uint64_t offset) {
  const D64 d;
  V64 z = hn::Add(hn::LoadU(d, keys), hn::Set(d, offset));
  z = NoiseTimes(hn::Xor(z, hn::ShiftRight<30>(z)), kNoiseMix1);
  z = NoiseTimes(hn::Xor(z, hn::ShiftRight<27>(z)), kNoiseMix2);
  return hn::Xor(z, hn::ShiftRight<31>(z));
}

struct NoisePair {
  V first;   // of column 2i
  V second;  // of column 2i + 1
};

struct NormalNoise {
  static HWY_INLINE NoisePair Of(V32 high, V32 low) {
    const D d;
    const DSigned ds;
    const V u = hn::ConvertTo(d, hn::BitCast(ds, hn::ShiftRight<8>(high)));
    // 1 - u is exact and in [2^-24, 1].
    const V rest = hn::NegMulAdd(u, hn::Set(d, 0x1p-24f), hn::Set(d, 1.0f));
    const V radius = hn::Sqrt(hn::Mul(hn::Set(d, -2.0f), hn::Log(d, rest)));
    // The angle is exactly a number of quarter turns and t / 2^24 of a turn,
    // an eighth to either side at most.
    const auto v = hn::BitCast(ds, hn::ShiftRight<8>(low));
    const auto quarters = hn::ShiftRight<22>(hn::Add(v, hn::Set(ds, 1 << 21)));
    const auto t = hn::Sub(v, hn::ShiftLeft<22>(quarters));
    constexpr float kTurn = 6.283185307179586f * 0x1p-24f;
    const V x = hn::Mul(hn::ConvertTo(d, t), hn::Set(d, kTurn));
    // Taylor: what is left out is below 1.8e-9 and 2.5e-8 at pi / 4.
    const V s = hn::Mul(x, x);
    V sine = hn::Set(d, 1.0f / 362880);
    sine = hn::MulAdd(sine, s, hn::Set(d, -1.0f / 5040));
    sine = hn::MulAdd(sine, s, hn::Set(d, 1.0f / 120));
    sine = hn::MulAdd(sine, s, hn::Set(d, -1.0f / 6));
    sine = hn::MulAdd(hn::Mul(sine, s), x, x);
    V cosine = hn::Set(d, 1.0f / 40320);
    cosine = hn::MulAdd(cosine, s, hn::Set(d, -1.0f / 720));
    cosine = hn::MulAdd(cosine, s, hn::Set(d, 1.0f / 24));
    cosine = hn::MulAdd(cosine, s, hn::Set(d, -0.5f));
    cosine = hn::MulAdd(cosine, s, hn::Set(d, 1.0f));
    // Each quarter turn makes a cosine of the sine and a sine of the cosine;
    // bit 1 of a number of them, moved to the sign, is that of the result.
    const auto one = hn::Set(ds, 1);
    const auto two = hn::Set(ds, 2);
    const auto odd =
        hn::MaskFromVec(hn::BitCast(d, hn::Neg(hn::And(quarters, one))));
    const auto sine_sign = hn::ShiftLeft<30>(hn::And(quarters, two));
    const auto cosine_sign =
        hn::ShiftLeft<30>(hn::And(hn::Add(quarters, one), two));
    return {hn::Mul(radius, hn::Xor(hn::IfThenElse(odd, sine, cosine),
                                    hn::BitCast(d, cosine_sign))),
            hn::Mul(radius, hn::Xor(hn::IfThenElse(odd, cosine, sine),
                                    hn::BitCast(d, sine_sign)))};
  }
};

struct UniformNoise {
  static HWY_INLINE NoisePair Of(V32 high, V32 low) {
    return {One(low), One(high)};
  }
  static HWY_INLINE V One(V32 w) {
    const D d;
    const V32 sixth =
        hn::ShiftRight<29>(hn::Mul(hn::ShiftRight<3>(w), hn::Set(D32(), 6)));
    return hn::Sub(hn::ConvertTo(d, hn::BitCast(DSigned(), sixth)),
                   hn::Set(d, 3.0f));
  }
};

template <typename Noise>
HWY_INLINE void AddLaneNoise(const LaneNoiseArguments& a) {
  const D d;
  const D32 d32;
  const V scale = hn::Set(d, a.scale);
  for (int c = 0; c < a.channels; ++c) {
    const int64_t channel = int64_t{c} * a.width * kLanes;
    const float* x = a.x + channel;
    float* to = a.to + channel;
    const uint64_t row = (uint64_t(c) << 20) + uint64_t(a.row);
    uint64_t offset = ((row << 20) + 1) * kNoiseGamma;
    for (int left = a.width; left > 0; left -= 2) {
#pragma GCC unroll 4
      for (int p = 0; p < kLanes; p += kPart) {
        const V32 z0 = hn::BitCast(d32, NoiseElement(a.keys + p, offset));
        const V32 z1 =
            hn::BitCast(d32, NoiseElement(a.keys + p + kPart / 2, offset));
        const NoisePair n =
            Noise::Of(hn::ConcatOdd(d32, z1, z0), hn::ConcatEven(d32, z1, z0));
        hn::StoreU(hn::MulAdd(scale, n.first, hn::LoadU(d, x + p)), d, to + p);
        if (left > 1) {
          const int q = p + kLanes;
          hn::StoreU(hn::MulAdd(scale, n.second, hn::LoadU(d, x + q)), d,
                     to + q);
        }
      }
      offset += kNoiseGamma;
      x += 2 * kLanes;
      to += 2 * kLanes;
    }
  }
}

void AddNormalLaneNoise(const LaneNoiseArguments& a) {
  AddLaneNoise<NormalNoise>(a);
}

void AddUniformLaneNoise(const LaneNoiseArguments& a) {
  AddLaneNoise<UniformNoise>(a);
}

#endif  // HWY_TARGET != HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace fairdarts
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <cmath>

#include "fairdarts/base/random.h"
#include "ops/kernels/select_isa.h"

namespace fairdarts {
namespace {

// Calls noise(element, column is odd) for every float of a row.
template <typename Noise>
void ForEach(const LaneNoiseArguments& a, const Noise& noise) {
  int64_t i = 0;
  for (int c = 0; c < a.channels; ++c) {
    for (int x = 0; x < a.width; ++x) {
      for (int lane = 0; lane < kLanes; ++lane, ++i) {
        const uint64_t row = (uint64_t(c) << 20) + uint64_t(a.row);
        const uint64_t element =
            RandomStream(a.keys[lane]).At((row << 20) + uint64_t(x / 2));
        a.to[i] = a.x[i] + a.scale * noise(element, x % 2 != 0);
      }
    }
  }
}

void AddNormalReference(const LaneNoiseArguments& a) {
  ForEach(a, [](uint64_t element, bool odd) {
    constexpr double kTwoPi = 6.283185307179586476925;
    const double u = static_cast<double>(element >> 40) * 0x1p-24;
    const double v = static_cast<double>(element << 32 >> 40) * 0x1p-24;
    const double radius = std::sqrt(-2 * std::log(1 - u));
    return static_cast<float>(
        radius * (odd ? std::sin(kTwoPi * v) : std::cos(kTwoPi * v)));
  });
}

void AddUniformReference(const LaneNoiseArguments& a) {
  ForEach(a, [](uint64_t element, bool odd) {
    const uint64_t word = odd ? element >> 32 : element & 0xFFFFFFFF;
    return static_cast<float>((word >> 3) * 6 >> 29) - 3;
  });
}

}  // namespace

LaneNoiseFunction LaneNormalNoiseFor(Isa isa) {
  FD_RETURN_ISA(isa, AddNormalLaneNoise, AddNormalReference);
}

LaneNoiseFunction LaneUniformNoiseFor(Isa isa) {
  FD_RETURN_ISA(isa, AddUniformLaneNoise, AddUniformReference);
}

}  // namespace fairdarts

#endif  // HWY_ONCE
