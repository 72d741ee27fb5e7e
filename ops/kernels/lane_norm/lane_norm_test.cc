#include "ops/kernels/lane_norm/lane_norm.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "fairdarts/base/random.h"
#include "ops/kernels/lanes.h"

namespace fairdarts {
namespace {

using ::testing::Each;

std::vector<float> Values(int64_t size, uint64_t seed) {
  std::vector<float> values(size);
  RandomStream stream("values", {seed});
  for (float& v : values) v = static_cast<float>(2 * stream.Uniform() - 1);
  return values;
}

// A sum of `terms` terms below 1, one rounding each and one for each product.
double Tolerance(int terms) { return (terms + 1) * (terms + 1) * 0x1p-23; }

class LaneNormTest : public testing::TestWithParam<Isa> {
 protected:
  static constexpr int kChannels = 3;

  template <typename Test>
  void ForEachWidth(const Test& test) {
    for (const int width : {1, 2, 3, 4, 5, 7, 8, 9, 14, 16}) {
      SCOPED_TRACE(width);
      test(LaneRowShape{kChannels, width});
      if (HasFailure()) return;
    }
  }
  static int64_t Size(const LaneRowShape& shape) {
    return int64_t{shape.channels} * shape.width * kLanes;
  }
};

void ExpectNear(const std::vector<float>& actual,
                const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_NEAR(actual[i], expected[i], tolerance) << i;
  }
}

TEST_P(LaneNormTest, SumsAddToEachLane) {
  ForEachWidth([&](const LaneRowShape& s) {
    const std::vector<float> y = Values(Size(s), 1);
    std::vector<float> sum = Values(kChannels * kLanes, 2);
    std::vector<float> squares = Values(kChannels * kLanes, 3);
    std::vector<double> expected_sum(sum.begin(), sum.end());
    std::vector<double> expected_squares(squares.begin(), squares.end());
    for (int64_t i = 0; i < Size(s); ++i) {
      const int64_t lane = i / (s.width * kLanes) * kLanes + i % kLanes;
      expected_sum[lane] += y[i];
      expected_squares[lane] += double{y[i]} * y[i];
    }
    LaneSumsFor(GetParam())({s, y.data(), sum.data(), squares.data()});
    ExpectNear(sum, expected_sum, Tolerance(s.width + 1));
    ExpectNear(squares, expected_squares, Tolerance(s.width + 1));
  });
}

TEST_P(LaneNormTest, DotsAddToEachLane) {
  ForEachWidth([&](const LaneRowShape& s) {
    for (const int inputs : {1, 2, kLaneInputs}) {
      const std::vector<float> y = Values(inputs * Size(s), 1);
      const std::vector<float> g = Values(Size(s), 2);
      std::vector<float> sum = Values(kChannels * kLanes, 3);
      std::vector<float> dots = Values(inputs * kChannels * kLanes, 4);
      std::vector<double> expected_sum(sum.begin(), sum.end());
      std::vector<double> expected_dots(dots.begin(), dots.end());
      LaneDotsArguments a{};
      a.shape = s;
      a.inputs = inputs;
      a.g = g.data();
      a.sum = sum.data();
      a.dots = dots.data();
      for (int n = 0; n < inputs; ++n) a.y[n] = y.data() + n * Size(s);
      for (int64_t i = 0; i < Size(s); ++i) {
        const int64_t lane = i / (s.width * kLanes) * kLanes + i % kLanes;
        expected_sum[lane] += g[i];
        for (int n = 0; n < inputs; ++n) {
          expected_dots[n * kChannels * kLanes + lane] +=
              double{g[i]} * a.y[n][i];
        }
      }
      LaneDotsFor(GetParam())(a);
      ExpectNear(sum, expected_sum, Tolerance(s.width + 1));
      ExpectNear(dots, expected_dots, Tolerance(s.width + 1));
    }
  });
}

TEST_P(LaneNormTest, WeightedSum) {
  ForEachWidth([&](const LaneRowShape& s) {
    for (const int inputs : {1, 2, kLaneInputs}) {
      for (const bool relu : {false, true}) {
        const std::vector<float> y = Values(inputs * Size(s), 1);
        const std::vector<float> factors = Values(inputs * kChannels, 2);
        const std::vector<float> terms = Values(kChannels, 3);
        const int64_t row = s.width * kLanes;
        const int64_t to_channel = row + kLanes;
        std::vector<float> to(kChannels * to_channel, 7);
        std::vector<double> expected(to.begin(), to.end());
        LaneWeightedSumArguments a{};
        a.shape = s;
        a.inputs = inputs;
        a.factors = factors.data();
        a.terms = terms.data();
        a.to = to.data();
        a.to_channel = to_channel;
        a.relu = relu;
        for (int n = 0; n < inputs; ++n) a.y[n] = y.data() + n * Size(s);
        for (int64_t i = 0; i < Size(s); ++i) {
          double sum = terms[i / row];
          for (int n = 0; n < inputs; ++n) {
            sum += double{factors[n * kChannels + i / row]} * a.y[n][i];
          }
          expected[i / row * to_channel + i % row] =
              relu ? std::max(sum, 0.0) : sum;
        }
        LaneWeightedSumFor(GetParam())(a);
        ExpectNear(to, expected, Tolerance(inputs + 1));
      }
    }
  });
}

TEST_P(LaneNormTest, WeightedSumWithFactorsOfEachLane) {
  ForEachWidth([&](const LaneRowShape& s) {
    for (const int inputs : {0, 1, 2, kLaneInputs}) {
      for (const bool relu : {false, true}) {
        const std::vector<float> y = Values(inputs * Size(s), 1);
        const std::vector<float> factors =
            Values(inputs * kChannels * kLanes, 2);
        const std::vector<float> terms = Values(kChannels * kLanes, 3);
        const int64_t row = s.width * kLanes;
        std::vector<float> to(Size(s), 7);
        std::vector<double> expected(to.size());
        LaneWeightedSumArguments a{};
        a.shape = s;
        a.inputs = inputs;
        a.factors = factors.data();
        a.terms = terms.data();
        a.to = to.data();
        a.to_channel = row;
        a.relu = relu;
        a.lane_factors = true;
        for (int n = 0; n < inputs; ++n) a.y[n] = y.data() + n * Size(s);
        for (int64_t i = 0; i < Size(s); ++i) {
          const int64_t lane = i / row * kLanes + i % kLanes;
          double sum = terms[lane];
          for (int n = 0; n < inputs; ++n) {
            sum += double{factors[n * kChannels * kLanes + lane]} * a.y[n][i];
          }
          expected[i] = relu ? std::max(sum, 0.0) : sum;
        }
        LaneWeightedSumFor(GetParam())(a);
        ExpectNear(to, expected, Tolerance(inputs + 1));
      }
    }
  });
}

TEST_P(LaneNormTest, MaskedDots) {
  ForEachWidth([&](const LaneRowShape& s) {
    const std::vector<float> y = Values(Size(s), 1);
    const std::vector<float> factors = Values(kChannels, 2);
    const std::vector<float> terms = Values(kChannels, 3);
    std::vector<float> g = Values(Size(s), 4);
    std::vector<float> sum(kChannels * kLanes);
    std::vector<float> dots(kChannels * kLanes);
    std::vector<double> expected(g.begin(), g.end());
    std::vector<double> expected_sum(sum.size());
    std::vector<double> expected_dots(dots.size());
    for (int64_t i = 0; i < Size(s); ++i) {
      const int64_t c = i / (s.width * kLanes);
      const double z = double{factors[c]} * y[i] + terms[c];
      ASSERT_GT(std::abs(z), 1e-6) << "too close to tell";
      if (z <= 0) expected[i] = 0;
      expected_sum[c * kLanes + i % kLanes] += expected[i];
      expected_dots[c * kLanes + i % kLanes] += expected[i] * y[i];
    }
    LaneMaskedDotsFor(GetParam())({s, y.data(), factors.data(), terms.data(),
                                   g.data(), sum.data(), dots.data()});
    ExpectNear(g, expected, 0);
    ExpectNear(sum, expected_sum, Tolerance(s.width));
    ExpectNear(dots, expected_dots, Tolerance(s.width));
  });
}

TEST_P(LaneNormTest, ReluTakesColumnsAndItsGradientGivesThemBack) {
  ForEachWidth([&](const LaneRowShape& s) {
    for (const int stride : {1, 2}) {
      for (int first = 0; first < stride; ++first) {
        const std::vector<float> x = Values(Size(s), 1);
        const int width = (s.width + stride - 1) / stride;
        const int64_t channel = (width + 1) * kLanes;
        std::vector<float> z(kChannels * channel, 7);
        const std::vector<float> g = Values(z.size(), 2);
        std::vector<double> expected(z.begin(), z.end());
        std::vector<float> din[2] = {Values(Size(s), 3), Values(Size(s), 3)};
        std::vector<double> expected_din[2];
        for (int mask = 0; mask < 2; ++mask) {
          expected_din[mask].assign(din[mask].begin(), din[mask].end());
        }
        for (int c = 0; c < kChannels; ++c) {
          for (int i = 0; i < width * kLanes; ++i) {
            const int column = i / kLanes * stride + first;
            double& to = expected[c * channel + i];
            to = 0;
            if (column >= s.width) continue;
            const int64_t from =
                (int64_t{c} * s.width + column) * kLanes + i % kLanes;
            to = std::max(x[from], 0.0f);
            expected_din[0][from] += g[c * channel + i];
            if (x[from] > 0) expected_din[1][from] += g[c * channel + i];
          }
        }
        LaneReluFor(GetParam())(
            {s, x.data(), stride, first, z.data(), channel});
        ExpectNear(z, expected, 0);
        for (int mask = 0; mask < 2; ++mask) {
          LaneReluGradientFor(GetParam())({s, mask == 1 ? x.data() : nullptr,
                                           stride, first, g.data(), channel,
                                           din[mask].data()});
          ExpectNear(din[mask], expected_din[mask], Tolerance(1));
        }
      }
    }
  });
}

TEST_P(LaneNormTest, NaNStays) {
  const LaneRowShape s{1, 1};
  const std::vector<float> x(kLanes, std::numeric_limits<float>::quiet_NaN());
  std::vector<float> z(kLanes);
  LaneReluFor(GetParam())({s, x.data(), 1, 0, z.data(), kLanes});
  EXPECT_THAT(z, Each(testing::IsNan()));
  z.assign(kLanes, 0);
  const float one = 1;
  LaneWeightedSumFor(GetParam())(
      {s, 1, {x.data()}, &one, &one, z.data(), kLanes, /*relu=*/true});
  EXPECT_THAT(z, Each(testing::IsNan()));
}

INSTANTIATE_TEST_SUITE_P(AllIsas, LaneNormTest,
                         testing::ValuesIn(SupportedIsas()),
                         [](const auto& info) {
                           return std::string(IsaName(info.param));
                         });

TEST(ClearLanesTest, TouchesNoOtherLane) {
  std::vector<float> row(2 * 48, 1);
  ClearLanes({2, 2}, 5, row.data(), 48);
  for (int i = 0; i < 96; ++i) {
    EXPECT_EQ(row[i], i % 48 < 32 && i % kLanes >= 5 ? 0 : 1) << i;
  }
}

}  // namespace
}  // namespace fairdarts
