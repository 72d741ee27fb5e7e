#include "ops/kernels/depthwise/depthwise.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <vector>

#include "ops/kernels/testing.h"

namespace fairdarts {
namespace {

using ::testing::FloatNear;
using ::testing::Pointwise;

class DepthwiseTest : public testing::TestWithParam<Isa> {};

std::vector<float> Expected(const DepthwiseArguments& a) {
  const DepthwiseShape& shape = a.shape;
  std::vector<float> expected;
  for (int c = 0; c < shape.channels; ++c) {
    for (int y = 0; y < shape.height; y += shape.stride) {
      for (int x = 0; x < shape.width; x += shape.stride) {
        double sum = 0;
        for (int r = 0; r < shape.kernel; ++r) {
          for (int s = 0; s < shape.kernel; ++s) {
            const int row = y + (r - shape.kernel / 2) * shape.dilation;
            const int column = x + (s - shape.kernel / 2) * shape.dilation;
            if (row < 0 || row >= shape.height) continue;
            if (column < 0 || column >= shape.width) continue;
            double value = a.in[c * a.in_stride + row * shape.width + column];
            if (a.relu) value = std::max(value, 0.0);
            sum += value * a.weights[(c * shape.kernel + r) * shape.kernel + s];
          }
        }
        expected.push_back(static_cast<float>(sum));
      }
    }
  }
  return expected;
}

TEST_P(DepthwiseTest, AgreesWithTheDefinition) {
  constexpr int kChannels = 3;
  const std::vector<int> sizes = {1,  2,  3,  4,  5,  7,  8,  9,  14,
                                  15, 16, 17, 23, 28, 31, 32, 33, 40};
  for (const int kernel : {3, 5, 7}) {
    std::vector<float> weights(kChannels * kernel * kernel);
    RandomStream stream("weights", {4});
    for (float& w : weights) w = 2 * stream.Uniform() - 1;
    for (const int stride : {1, 2}) {
      for (const int dilation : {1, 2}) {
        if (kernel == 7 && dilation == 2) continue;  // of no operation
        for (const int width : sizes) {
          for (const int height : {1, 2, 7, 8, 13}) {
            DepthwiseArguments a;
            a.shape = {kChannels, height, width, kernel, stride, dilation};
            TestPlanes in(kChannels, height * width, 1);
            TestPlanes out(kChannels,
                           a.shape.out_height() * a.shape.out_width(), 2);
            // What an earlier call left behind must not matter.
            const int scratch = static_cast<int>(DepthwiseScratch(a.shape));
            TestPlanes work(1, std::max(0, scratch - kPlaneSlack), 5);
            a.weights = weights.data();
            a.in = in.data();
            a.in_stride = in.stride();
            a.out = out.data();
            a.out_stride = out.stride();
            a.relu = (height + width) % 2 == 0;
            a.scratch = work.data();
            const std::vector<float> expected = Expected(a);
            DepthwiseFor(GetParam())(a);
            // One rounding for each of at most 49 terms below 1.
            ASSERT_THAT(out.Pixels(),
                        Pointwise(FloatNear(49 * 49 * 0x1p-24f), expected))
                << height << "x" << width << " kernel " << kernel << " stride "
                << stride << " dilation " << dilation;
            ASSERT_TRUE(out.GuardIsWhole());
            ASSERT_TRUE(work.GuardIsWhole());
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllIsas, DepthwiseTest,
                         testing::ValuesIn(SupportedIsas()),
                         [](const auto& info) {
                           return std::string(IsaName(info.param));
                         });

}  // namespace
}  // namespace fairdarts
