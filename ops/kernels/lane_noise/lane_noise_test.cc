#include "ops/kernels/lane_noise/lane_noise.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "fairdarts/base/random.h"
#include "ops/kernels/lanes.h"

namespace fairdarts {
namespace {

enum class Kind { kNormal, kUniform };

LaneNoiseFunction NoiseFor(Kind kind, Isa isa) {
  return kind == Kind::kNormal ? LaneNormalNoiseFor(isa)
                               : LaneUniformNoiseFor(isa);
}

std::vector<uint64_t> Keys(uint64_t seed) {
  std::vector<uint64_t> keys(kLanes);
  RandomStream stream("keys", {seed});
  for (uint64_t& key : keys) key = stream.Next();
  return keys;
}

// What the header says, in double: of a word of 64 random bits.
double Definition(Kind kind, uint64_t element, bool odd) {
  const uint64_t high = element >> 32;
  const uint64_t low = element & 0xFFFFFFFF;
  if (kind == Kind::kUniform) {
    return std::floor(6 * std::floor((odd ? high : low) / 8.0) /
                      std::pow(2, 29)) -
           3;
  }
  const double u = std::floor(high / 256.0) / std::pow(2, 24);
  const double angle =
      2 * std::acos(-1.0) * std::floor(low / 256.0) / std::pow(2, 24);
  return std::sqrt(-2 * std::log(1 - u)) *
         (odd ? std::sin(angle) : std::cos(angle));
}

// In units of float32's rounding of 1, 2^-24: the radius, up to 5.8, is half as
// far off as the logarithm (4 units in the last place, 8 roundings) and has
// two roundings of its own; sine and cosine have six in their polynomials, of
// which the last two count fully, and the angle two; their product one.
constexpr double kNormalTolerance = 5.8 * (4 + 2 + 6 + 2 + 1) * 0x1p-24;
// Then x + scale * n with both products' roundings.
double ToleranceOf(Kind kind, double scale) {
  const double rounding = (6 * scale + 2) * 0x1p-23;
  return (kind == Kind::kNormal ? scale * kNormalTolerance : 0) + rounding;
}

struct Case {
  Kind kind;
  Isa isa;
};

class LaneNoiseTest : public testing::TestWithParam<Case> {};

TEST_P(LaneNoiseTest, IsTheFunctionOfKeyChannelRowAndColumn) {
  const auto [kind, isa] = GetParam();
  const std::vector<uint64_t> keys = Keys(1);
  constexpr int kChannels = 3;
  constexpr float kScale = 0.75f;
  for (const int width : {1, 2, 3, 4, 7, 28, 32}) {
    for (const int row : {0, 1, 31}) {
      const int64_t size = int64_t{kChannels} * width * kLanes;
      std::vector<float> x(size);
      RandomStream stream("x", {});
      for (float& v : x) v = 2 * stream.Uniform() - 1;
      // One pixel of room behind the last: an odd width writes no pair there.
      std::vector<float> to(size + kLanes, 7);
      NoiseFor(kind, isa)(
          {kChannels, width, x.data(), keys.data(), row, kScale, to.data()});
      for (int64_t i = 0; i < size; ++i) {
        const int64_t pixel = i / kLanes;
        const int64_t column = pixel % width;
        const uint64_t element =
            RandomStream(keys[i % kLanes])
                .At((pixel / width << 40) + (int64_t{row} << 20) + column / 2);
        ASSERT_NEAR(to[i],
                    x[i] + kScale * Definition(kind, element, column % 2 == 1),
                    ToleranceOf(kind, kScale))
            << "width " << width << ", row " << row << ", entry " << i;
      }
      for (int64_t i = size; i < size + kLanes; ++i) ASSERT_EQ(to[i], 7);
      // In place.
      NoiseFor(kind, isa)(
          {kChannels, width, x.data(), keys.data(), row, kScale, x.data()});
      ASSERT_TRUE(std::equal(x.begin(), x.end(), to.begin()));
    }
  }
}

// The key whose stream has `element` at 0: SplitMix64 backwards.
uint64_t KeyOfElement(uint64_t element) {
  const auto inverse = [](uint64_t factor) {
    uint64_t result = 1;  // Newton: each round doubles the bits that are right
    for (int i = 0; i < 6; ++i) result *= 2 - factor * result;
    return result;
  };
  const auto unshift = [](uint64_t z, int shift) {
    uint64_t result = z;
    for (int i = 0; i < 3; ++i) result = z ^ (result >> shift);
    return result;
  };
  uint64_t z = unshift(element, 31) * inverse(0x94D049BB133111EB);
  z = unshift(z, 27) * inverse(0xBF58476D1CE4E5B9);
  return unshift(z, 30) - 0x9E3779B97F4A7C15;
}

TEST_P(LaneNoiseTest, HoldsAtTheEndsOfRadiusAndAngle) {
  const auto [kind, isa] = GetParam();
  const std::vector<uint64_t> ends = {0,          1u << 8,    0xFFFFFFFF,
                                      0xFFFFFE00, 1u << 29,   (1u << 29) - 1,
                                      1u << 30,   3u << 29,   1u << 31,
                                      5u << 29,   0xC0000000, 0xDFFFFFFF,
                                      0xE0000000, 0x2AAAAAAA, 0x2AAAAAB0};
  for (const uint64_t high : ends) {
    for (const uint64_t low : ends) {
      const uint64_t element = high << 32 | low;
      const std::vector<uint64_t> keys(kLanes, KeyOfElement(element));
      ASSERT_EQ(RandomStream(keys[0]).At(0), element);
      const std::vector<float> x(2 * kLanes, 0.0f);
      std::vector<float> to(2 * kLanes);
      NoiseFor(kind, isa)({1, 2, x.data(), keys.data(), 0, 1.0f, to.data()});
      for (int i = 0; i < 2 * kLanes; ++i) {
        ASSERT_NEAR(to[i], Definition(kind, element, i >= kLanes),
                    ToleranceOf(kind, 1))
            << std::hex << element;
      }
    }
  }
}

// Of many maps, each with a key of its own.
std::vector<float> Sample(Kind kind, Isa isa) {
  constexpr int kMaps = 64;
  constexpr int kChannels = 4;
  constexpr int kSize = 32;
  constexpr int64_t kRow = int64_t{kChannels} * kSize * kLanes;
  std::vector<float> sample(kMaps * kSize * kRow, 0.0f);
  for (int map = 0; map < kMaps; ++map) {
    const std::vector<uint64_t> keys = Keys(map);
    for (int y = 0; y < kSize; ++y) {
      float* const row = &sample[(int64_t{map} * kSize + y) * kRow];
      NoiseFor(kind, isa)({kChannels, kSize, row, keys.data(), y, 1.0f, row});
    }
  }
  return sample;
}

// Standard deviations that a mean of independent draws may be off: by chance
// it is so once in 1.7 million.
constexpr double kSigmas = 5;

double Mean(const std::vector<float>& sample, double (*f)(double)) {
  double sum = 0;
  for (const float v : sample) sum += f(v);
  return sum / static_cast<double>(sample.size());
}

double Correlation(const std::vector<float>& sample, int64_t distance) {
  double sum = 0;
  for (size_t i = distance; i < sample.size(); ++i) {
    sum += double{sample[i]} * sample[i - distance];
  }
  return sum / static_cast<double>(sample.size() - distance);
}

TEST_P(LaneNoiseTest, HasTheDistribution) {
  const auto [kind, isa] = GetParam();
  if (isa != BestIsa()) GTEST_SKIP() << "equal to the definition elsewhere";
  const std::vector<float> sample = Sample(kind, isa);
  const double n = static_cast<double>(sample.size());
  const double mean = Mean(sample, [](double v) { return v; });
  const auto near = [&](double actual, double expected, double variance) {
    EXPECT_NEAR(actual, expected, kSigmas * std::sqrt(variance / n));
  };
  if (kind == Kind::kUniform) {
    for (int value = -3; value <= 2; ++value) {
      SCOPED_TRACE(value);
      const double count = static_cast<double>(
          std::count(sample.begin(), sample.end(), static_cast<float>(value)));
      near(count / n, 1.0 / 6, 1.0 / 6 * 5 / 6);
    }
    near(mean, -0.5, 35.0 / 12);
    return;
  }
  // Moments of a standard normal variable: 0, 1, 0, 3, 0, 15, 0, 105.
  near(mean, 0, 1);
  near(Mean(sample, [](double v) { return v * v; }), 1, 3 - 1);
  near(Mean(sample, [](double v) { return v * v * v; }), 0, 15);
  near(Mean(sample, [](double v) { return v * v * v * v; }), 3, 105 - 9);
  // Shares within a distance, erf(distance / sqrt(2)), and far out.
  for (const double distance : {0.1, 0.5, 1.0, 2.0, 3.0, 4.0}) {
    SCOPED_TRACE(distance);
    double within = 0;
    for (const float v : sample) within += std::abs(v) < distance ? 1 : 0;
    const double share = std::erf(distance / std::sqrt(2));
    near(within / n, share, share * (1 - share));
  }
  // The two of a pair, the next pair, the next row of 4 channels, the lanes.
  for (const int64_t distance :
       {1, kLanes, 2 * kLanes, 32 * kLanes, 4 * 32 * kLanes}) {
    SCOPED_TRACE(distance);
    near(Correlation(sample, distance), 0, 1);
  }
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const Kind kind : {Kind::kNormal, Kind::kUniform}) {
    for (const Isa isa : SupportedIsas()) cases.push_back({kind, isa});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(
    AllIsas, LaneNoiseTest, testing::ValuesIn(Cases()), [](const auto& info) {
      return (info.param.kind == Kind::kNormal ? "normal_" : "uniform_") +
             std::string(IsaName(info.param.isa));
    });

}  // namespace
}  // namespace fairdarts
