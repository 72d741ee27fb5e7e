#include "ops/kernels/head/head.h"

#include <gmock/gmock.h>

#include <vector>

namespace fairdarts {
namespace {

using ::testing::ElementsAre;

TEST(MapAverageTest, AveragesTheWindowAtTheTopLeft) {
  // Two planes of 2x3, 8 floats apart.
  const std::vector<float> in = {1, 2, 9, 3, 4, 9, 0, 0, 5, 6, 9, 7, 8, 9};
  std::vector<float> out(4, -1);
  MapAverage({in.data(), 8, 2, 3, 2, 2, out.data(), 2});
  EXPECT_THAT(out, ElementsAre(2.5f, -1, 6.5f, -1));
  MapAverage({in.data(), 8, 1, 3, 1, 3, out.data(), 2});
  EXPECT_THAT(out, ElementsAre(4, -1, 6.5f, -1));
}

TEST(LinearTest, AgreesWithTheDefinition) {
  for (int depth = 1; depth < 70; ++depth) {
    std::vector<float> weights(3 * depth);
    std::vector<float> in(depth);
    for (size_t i = 0; i < weights.size(); ++i) {
      weights[i] = static_cast<float>(i * 7 % 11) - 5;
    }
    for (size_t i = 0; i < in.size(); ++i) {
      in[i] = static_cast<float>(i * 5 % 13) - 6;
    }
    const std::vector<float> bias = {0.5f, -2, 3};
    std::vector<float> out(3);
    Linear({weights.data(), bias.data(), in.data(), out.data(), 3, depth});
    for (int m = 0; m < 3; ++m) {
      float sum = bias[m];  // of small whole numbers: exact
      for (int k = 0; k < depth; ++k) sum += weights[m * depth + k] * in[k];
      EXPECT_EQ(out[m], sum) << depth;
    }
  }
}

}  // namespace
}  // namespace fairdarts
