#include "ops/kernels/lane_pool/lane_pool.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/random.h"
#include "ops/kernels/lanes.h"

namespace fairdarts {
namespace {

using ::testing::FloatNear;
using ::testing::Pointwise;

// [rows][channels][columns][kLanes] without gaps. Few values, so that windows
// hold equal ones.
std::vector<float> Values(int64_t size, uint64_t seed) {
  std::vector<float> values(size);
  RandomStream stream("values", {seed});
  for (float& v : values) v = static_cast<float>(stream.Below(9)) / 4 - 1;
  return values;
}

class LanePoolTest : public testing::TestWithParam<Isa> {
 protected:
  template <typename Test>
  void ForEachShape(const Test& test) {
    for (const int stride : {1, 2}) {
      for (const int width : {1, 2, 3, 4, 5, 7, 8, 9, 16}) {
        for (const int height : {1, 2, 5, 6}) {
          SCOPED_TRACE(
              absl::StrCat("stride ", stride, " of ", height, "x", width));
          test(LanePoolShape{stride, /*channels=*/3, height, width});
          if (HasFailure()) return;
        }
      }
    }
  }
};

int64_t InRow(const LanePoolShape& s) {
  return int64_t{s.channels} * s.width * kLanes;
}
int64_t OutRow(const LanePoolShape& s) {
  return int64_t{s.channels} * s.out_width() * kLanes;
}

// Indices of the pixels of every window, in order, and its index in the output.
template <typename Visit>
void ForEachWindow(const LanePoolShape& s, const Visit& visit) {
  for (int y = 0; y < s.out_height(); ++y) {
    for (int64_t i = 0; i < OutRow(s); ++i) {
      const int lane = static_cast<int>(i % kLanes);
      const int x = static_cast<int>(i / kLanes % s.out_width());
      const int64_t c = i / kLanes / s.out_width();
      std::vector<int64_t> pixels;
      std::vector<int> taps;
      for (int tap = 0; tap < 9; ++tap) {
        const int in_y = y * s.stride + tap / 3 - 1;
        const int in_x = x * s.stride + tap % 3 - 1;
        if (in_y < 0 || in_y >= s.height || in_x < 0 || in_x >= s.width) {
          continue;
        }
        pixels.push_back(in_y * InRow(s) + (c * s.width + in_x) * kLanes +
                         lane);
        taps.push_back(tap);
      }
      visit(y * OutRow(s) + i, pixels, taps);
    }
  }
}

TEST_P(LanePoolTest, MaxIsTheFirstLargest) {
  ForEachShape([&](const LanePoolShape& s) {
    const std::vector<float> in = Values(s.height * InRow(s), 1);
    const std::vector<float> dout = Values(s.out_height() * OutRow(s), 2);
    std::vector<float> din = Values(in.size(), 3);
    std::vector<float> expected(dout.size());
    std::vector<uint8_t> expected_taps(dout.size());
    std::vector<float> expected_din = din;
    ForEachWindow(s, [&](int64_t out, const std::vector<int64_t>& pixels,
                         const std::vector<int>& taps) {
      size_t best = 0;
      for (size_t i = 1; i < pixels.size(); ++i) {
        if (in[pixels[i]] > in[pixels[best]]) best = i;
      }
      expected[out] = in[pixels[best]];
      expected_taps[out] = static_cast<uint8_t>(taps[best]);
      expected_din[pixels[best]] += dout[out];
    });
    std::vector<float> out(dout.size());
    std::vector<uint8_t> taps(dout.size());
    for (int y = 0; y < s.out_height(); ++y) {
      LaneMaxPoolFor(GetParam())({s, in.data(), InRow(s), y,
                                  out.data() + y * OutRow(s),
                                  taps.data() + y * OutRow(s)});
    }
    EXPECT_EQ(out, expected);
    EXPECT_EQ(taps, expected_taps);
    for (int y = 0; y < s.height; ++y) {
      LaneMaxPoolGradientFor(GetParam())({s, dout.data(), OutRow(s),
                                          taps.data(), y,
                                          din.data() + y * InRow(s)});
    }
    // Multiples of 1/4: sums are exact.
    EXPECT_EQ(din, expected_din);
  });
}

TEST_P(LanePoolTest, AverageIsOverPixelsInside) {
  ForEachShape([&](const LanePoolShape& s) {
    const std::vector<float> in = Values(s.height * InRow(s), 4);
    const std::vector<float> dout = Values(s.out_height() * OutRow(s), 5);
    std::vector<float> din = Values(in.size(), 6);
    std::vector<double> sums(dout.size());
    std::vector<double> gradients(din.begin(), din.end());
    ForEachWindow(s, [&](int64_t out, const std::vector<int64_t>& pixels,
                         const std::vector<int>&) {
      const double count = static_cast<double>(pixels.size());
      for (const int64_t pixel : pixels) {
        sums[out] += in[pixel] / count;
        gradients[pixel] += dout[out] / count;
      }
    });
    std::vector<float> out(dout.size());
    for (int y = 0; y < s.out_height(); ++y) {
      LaneAveragePoolFor(GetParam())(
          {s, in.data(), InRow(s), y, out.data() + y * OutRow(s), nullptr});
    }
    for (int y = 0; y < s.height; ++y) {
      LaneAveragePoolGradientFor(GetParam())(
          {s, dout.data(), OutRow(s), nullptr, y, din.data() + y * InRow(s)});
    }
    // Sums of at most 10 terms up to 1, two roundings each.
    constexpr float kTolerance = 10 * 2 * 0x1p-22f;
    EXPECT_THAT(out, Pointwise(FloatNear(kTolerance),
                               std::vector<float>(sums.begin(), sums.end())));
    EXPECT_THAT(
        din, Pointwise(FloatNear(kTolerance),
                       std::vector<float>(gradients.begin(), gradients.end())));
  });
}

TEST_P(LanePoolTest, MaxKeepsNaN) {
  const LanePoolShape s{1, 1, 1, 3};
  std::vector<float> in(3 * kLanes, 1);
  in[kLanes] = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> out(3 * kLanes);
  std::vector<uint8_t> taps(3 * kLanes);
  LaneMaxPoolFor(GetParam())(
      {s, in.data(), InRow(s), 0, out.data(), taps.data()});
  for (int x = 0; x < 3; ++x) {
    EXPECT_TRUE(std::isnan(out[x * kLanes])) << x;
    EXPECT_EQ(taps[x * kLanes], 3 + 2 - x);
    EXPECT_EQ(out[x * kLanes + 1], 1);
  }
}

INSTANTIATE_TEST_SUITE_P(AllIsas, LanePoolTest,
                         testing::ValuesIn(SupportedIsas()),
                         [](const auto& info) {
                           return std::string(IsaName(info.param));
                         });

}  // namespace
}  // namespace fairdarts
