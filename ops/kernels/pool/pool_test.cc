#include "ops/kernels/pool/pool.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "ops/kernels/testing.h"

namespace fairdarts {
namespace {

using ::testing::FloatNear;
using ::testing::Pointwise;

class PoolTest : public testing::TestWithParam<Isa> {};

std::vector<float> Expected(const PoolArguments& a) {
  std::vector<float> expected;
  int at = 0;
  for (int c = 0; c < a.channels; ++c) {
    at = 0;
    for (int y = 0; y < a.height; y += a.stride) {
      for (int x = 0; x < a.width; x += a.stride) {
        double sum = 0;
        double largest = -std::numeric_limits<double>::infinity();
        int count = 0;
        for (int row = y - 1; row <= y + 1; ++row) {
          for (int column = x - 1; column <= x + 1; ++column) {
            if (row < 0 || row >= a.height) continue;
            if (column < 0 || column >= a.width) continue;
            const double value = a.in[c * a.in_stride + row * a.width + column];
            sum += value;
            largest = std::max(largest, value);
            ++count;
          }
        }
        double value = a.scale * (a.average ? sum / count : largest);
        if (a.accumulate) value += a.out[c * a.out_stride + at];
        ++at;
        expected.push_back(static_cast<float>(value));
      }
    }
  }
  return expected;
}

TEST_P(PoolTest, AgreesWithTheDefinition) {
  constexpr int kChannels = 2;
  for (const int mode : {0, 1, 2, 3, 4, 5, 6, 7}) {
    for (int width = 1; width < 36; ++width) {
      for (const int height : {1, 2, 3, 8}) {
        PoolArguments a;
        a.average = mode % 2 != 0;
        a.stride = mode / 2 % 2 + 1;
        a.accumulate = mode / 4 != 0;
        a.scale = mode % 3 == 0 ? 1 : -0.75f;
        a.channels = kChannels;
        a.height = height;
        a.width = width;
        TestPlanes in(kChannels, height * width, 1);
        const int out_pixels = ((height + a.stride - 1) / a.stride) *
                               ((width + a.stride - 1) / a.stride);
        TestPlanes out(kChannels, out_pixels, 2);
        a.in = in.data();
        a.in_stride = in.stride();
        a.out = out.data();
        a.out_stride = out.stride();
        const std::vector<float> expected = Expected(a);
        PoolFor(GetParam())(a);
        // Nine terms below 1, a factor, a sum.
        ASSERT_THAT(out.Pixels(), Pointwise(FloatNear(11 * 0x1p-24f), expected))
            << height << "x" << width << " mode " << mode;
        ASSERT_TRUE(out.GuardIsWhole());
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllIsas, PoolTest, testing::ValuesIn(SupportedIsas()),
                         [](const auto& info) {
                           return std::string(IsaName(info.param));
                         });

}  // namespace
}  // namespace fairdarts
