// The gradients of the kernels for training against finite differences in
// double of what their headers define, on small maps.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <vector>

#include "fairdarts/base/random.h"
#include "ops/kernels/lane_depthwise/lane_depthwise.h"
#include "ops/kernels/lane_gemm/lane_gemm.h"
#include "ops/kernels/lane_pool/lane_pool.h"
#include "ops/kernels/lanes.h"

namespace fairdarts {
namespace {

using Map = std::vector<double>;
using Forward = std::function<Map(const Map&)>;

constexpr int kChannels = 2;

std::vector<float> Values(int64_t size, const char* name) {
  std::vector<float> values(size);
  RandomStream stream(name, {});
  for (float& v : values) v = static_cast<float>(2 * stream.Uniform() - 1);
  return values;
}

Map Doubles(const std::vector<float>& values) {
  return Map(values.begin(), values.end());
}

// d(sum of g * forward(at)) / d at.
Map Differences(Map at, const std::vector<float>& g, double step,
                const Forward& forward) {
  const auto loss = [&] {
    const Map out = forward(at);
    double sum = 0;
    for (size_t i = 0; i < out.size(); ++i) sum += g[i] * out[i];
    return sum;
  };
  Map derivatives;
  for (double& value : at) {
    const double middle = value;
    value = middle + step;
    const double above = loss();
    value = middle - step;
    const double below = loss();
    value = middle;
    derivatives.push_back((above - below) / (2 * step));
  }
  return derivatives;
}

// A step that is exact for what is linear in `at`.
constexpr double kLinear = 0.5;

void ExpectNear(const std::vector<float>& actual, const Map& expected,
                int terms) {
  ASSERT_EQ(actual.size(), expected.size());
  // Terms below 1, a rounding each of a sum below `terms`, and the double's.
  const double tolerance = terms * terms * 0x1p-24 + 1e-10;
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_NEAR(actual[i], expected[i], tolerance) << i;
  }
}

// Maps are [height][kChannels][width][kLanes], as in lanes.h.
struct Size {
  int height;
  int width;
  int64_t row() const { return int64_t{kChannels} * width * kLanes; }
  int64_t floats() const { return height * row(); }
  int64_t At(int y, int c, int x) const {
    return y * row() + (int64_t{c} * width + x) * kLanes;
  }
};

Map Depthwise(const LaneDepthwiseShape& s, const Map& in, const Map& weights) {
  const Size from{s.height, s.width};
  const Size to{s.out_height(), s.out_width()};
  Map out(to.floats());
  for (int y = 0; y < to.height; ++y) {
    for (int c = 0; c < kChannels; ++c) {
      for (int x = 0; x < to.width; ++x) {
        for (int tap = 0; tap < s.kernel * s.kernel; ++tap) {
          const int in_y =
              y * s.stride + tap / s.kernel * s.dilation - s.padding();
          const int in_x =
              x * s.stride + tap % s.kernel * s.dilation - s.padding();
          if (in_y < 0 || in_y >= from.height || in_x < 0 ||
              in_x >= from.width) {
            continue;
          }
          for (int lane = 0; lane < kLanes; ++lane) {
            out[to.At(y, c, x) + lane] +=
                weights[c * s.kernel * s.kernel + tap] *
                in[from.At(in_y, c, in_x) + lane];
          }
        }
      }
    }
  }
  return out;
}

class LaneGradientsTest : public testing::TestWithParam<Isa> {};

TEST_P(LaneGradientsTest, Depthwise) {
  for (const auto& [kernel, stride, dilation] :
       {std::array{3, 1, 1}, {3, 2, 1}, {5, 1, 2}, {5, 2, 2}, {3, 1, 2}}) {
    const LaneDepthwiseShape s{kernel, stride, dilation, kChannels, 3, 5};
    SCOPED_TRACE(kernel * 100 + stride * 10 + dilation);
    const Size from{s.height, s.width};
    const Size to{s.out_height(), s.out_width()};
    const std::vector<float> in = Values(from.floats(), "in");
    const std::vector<float> weights =
        Values(kChannels * kernel * kernel, "weights");
    const std::vector<float> g = Values(to.floats(), "g");
    const LaneRows g_rows{g.data(), to.row(), to.width * kLanes};
    std::vector<float> din(in.size());
    for (int y = 0; y < s.height; ++y) {
      LaneDepthwiseGradientFor(
          GetParam(), s)({s, weights.data(), g_rows, y, &din[from.At(y, 0, 0)],
                          from.width * kLanes, /*accumulate=*/false});
    }
    ExpectNear(din,
               Differences(Doubles(in), g, kLinear,
                           [&](const Map& at) {
                             return Depthwise(s, at, Doubles(weights));
                           }),
               kernel * kernel);
    std::vector<float> dw(weights.size());
    LaneDepthwiseWeightGradientFor(
        GetParam(), s)({s,
                        {in.data(), from.row(), from.width * kLanes},
                        g_rows,
                        0,
                        s.out_height(),
                        dw.data()});
    ExpectNear(dw,
               Differences(Doubles(weights), g, kLinear,
                           [&](const Map& at) {
                             return Depthwise(s, Doubles(in), at);
                           }),
               to.height * to.width * kLanes);
  }
}

TEST_P(LaneGradientsTest, Pointwise) {
  constexpr int kRows = 3;
  constexpr int kDepth = 5;
  constexpr int kWidth = 3;
  constexpr int64_t kChannel = kWidth * kLanes;
  const std::vector<float> in = Values(kDepth * kChannel, "in");
  const std::vector<float> weights = Values(kRows * kDepth, "weights");
  const std::vector<float> g = Values(kRows * kChannel, "g");
  const auto product = [](const Map& w, const Map& z) {
    Map out(kRows * kChannel);
    for (int m = 0; m < kRows; ++m) {
      for (int k = 0; k < kDepth; ++k) {
        for (int64_t n = 0; n < kChannel; ++n) {
          out[m * kChannel + n] += w[m * kDepth + k] * z[k * kChannel + n];
        }
      }
    }
    return out;
  };
  std::vector<float> packed(weights.size());
  PackLaneColumns(weights.data(), kRows, kDepth, packed.data());
  std::vector<float> din(in.size());
  LaneGemmFor(GetParam())({packed.data(), kDepth, kRows, kWidth, g.data(),
                           kChannel, din.data(), kChannel});
  ExpectNear(
      din,
      Differences(Doubles(in), g, kLinear,
                  [&](const Map& at) { return product(Doubles(weights), at); }),
      kRows);
  std::vector<float> dw(weights.size());
  LaneGemmWeightGradientFor(GetParam())({kRows, kDepth, /*height=*/1, kWidth,
                                         g.data(), 0, kChannel, in.data(), 0,
                                         kChannel, dw.data()});
  ExpectNear(
      dw,
      Differences(Doubles(weights), g, kLinear,
                  [&](const Map& at) { return product(at, Doubles(in)); }),
      kChannel);
}

// Largest or mean of each window's pixels.
Map Pool(const LanePoolShape& s, bool max, const Map& in) {
  const Size from{s.height, s.width};
  const Size to{s.out_height(), s.out_width()};
  Map out(to.floats());
  for (int y = 0; y < to.height; ++y) {
    for (int c = 0; c < kChannels; ++c) {
      for (int x = 0; x < to.width; ++x) {
        for (int lane = 0; lane < kLanes; ++lane) {
          std::vector<double> window;
          for (int tap = 0; tap < 9; ++tap) {
            const int in_y = y * s.stride + tap / 3 - 1;
            const int in_x = x * s.stride + tap % 3 - 1;
            if (in_y < 0 || in_y >= s.height || in_x < 0 || in_x >= s.width) {
              continue;
            }
            window.push_back(in[from.At(in_y, c, in_x) + lane]);
          }
          double sum = 0;
          for (const double value : window) sum += value;
          out[to.At(y, c, x) + lane] =
              max ? *std::max_element(window.begin(), window.end())
                  : sum / static_cast<double>(window.size());
        }
      }
    }
  }
  return out;
}

TEST_P(LaneGradientsTest, Pools) {
  for (const int stride : {1, 2}) {
    SCOPED_TRACE(stride);
    const LanePoolShape s{stride, kChannels, 3, 4};
    const Size from{s.height, s.width};
    const Size to{s.out_height(), s.out_width()};
    // No two within the step of another: every maximum stays where it is.
    std::vector<float> in(from.floats());
    for (size_t i = 0; i < in.size(); ++i) {
      in[i] = static_cast<float>(i * 7 % in.size()) / in.size();
    }
    constexpr double kStep = 1e-4;
    const std::vector<float> g = Values(to.floats(), "g");
    std::vector<float> out(g.size());
    std::vector<uint8_t> taps(g.size());
    for (int y = 0; y < to.height; ++y) {
      LaneMaxPoolFor(GetParam())({s, in.data(), from.row(), y,
                                  &out[to.At(y, 0, 0)], &taps[to.At(y, 0, 0)]});
    }
    for (const bool max : {true, false}) {
      std::vector<float> din(in.size());
      for (int y = 0; y < s.height; ++y) {
        (max ? LaneMaxPoolGradientFor(GetParam())
             : LaneAveragePoolGradientFor(GetParam()))(
            {s, g.data(), to.row(), taps.data(), y, &din[from.At(y, 0, 0)]});
      }
      ExpectNear(din,
                 Differences(Doubles(in), g, kStep,
                             [&](const Map& at) { return Pool(s, max, at); }),
                 9);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllIsas, LaneGradientsTest,
                         testing::ValuesIn(SupportedIsas()),
                         [](const auto& info) {
                           return std::string(IsaName(info.param));
                         });

}  // namespace
}  // namespace fairdarts
