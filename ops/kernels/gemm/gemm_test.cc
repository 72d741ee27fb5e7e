#include "ops/kernels/gemm/gemm.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <vector>

#include "ops/kernels/testing.h"

namespace fairdarts {
namespace {

using ::testing::FloatNear;
using ::testing::Pointwise;

class GemmTest : public testing::TestWithParam<Isa> {};

TEST(GemmPackTest, BlocksCoverTheRows) {
  for (int rows = 1; rows < 80; ++rows) {
    const GemmBlocks blocks(rows);
    EXPECT_EQ(blocks.count, (rows + kGemmBlock - 1) / kGemmBlock);
    EXPECT_EQ(blocks.Begin(0), 0);
    EXPECT_EQ(blocks.Begin(blocks.count), rows);
    for (int block = 0; block < blocks.count; ++block) {
      EXPECT_EQ(blocks.Begin(block + 1),
                blocks.Begin(block) + blocks.RowsOf(block));
      EXPECT_LE(blocks.RowsOf(block), kGemmBlock);
      EXPECT_LE(blocks.RowsOf(0) - blocks.RowsOf(block), 1) << rows;
    }
  }
  EXPECT_EQ(PackGemmWeights({1, 2, 3, 4, 5, 6}, 2, 3),
            (std::vector<float>{1, 4, 2, 5, 3, 6}));
}

// What several threads rely on, which take some of the blocks each.
TEST(GemmPackTest, SuccessiveBlocksAreThoseOfTheirRows) {
  for (int rows = 1; rows < 80; ++rows) {
    const GemmBlocks blocks(rows);
    for (int begin = 0; begin < blocks.count; ++begin) {
      for (int end = begin + 1; end <= blocks.count; ++end) {
        const GemmBlocks part(blocks.Begin(end) - blocks.Begin(begin));
        ASSERT_EQ(part.count, end - begin) << rows;
        for (int i = 0; i < part.count; ++i) {
          ASSERT_EQ(part.RowsOf(i), blocks.RowsOf(begin + i)) << rows;
        }
      }
    }
  }
}

TEST_P(GemmTest, AgreesWithTheDefinition) {
  for (const int rows : {1, 2, 3, 4, 5, 6, 7, 13, 36}) {
    for (const int depth : {1, 2, 27, 36}) {
      for (const int pixels : {1, 3, 4, 15, 16, 17, 49, 64, 65, 196, 256}) {
        for (const int mode : {0, 1, 2, 3}) {
          TestPlanes in(depth, pixels, 1);
          TestPlanes out(rows, pixels, 2);
          std::vector<float> weights(rows * depth);
          std::vector<float> bias(rows);
          RandomStream stream("weights", {3});
          for (float& w : weights) w = 2 * stream.Uniform() - 1;
          for (float& b : bias) b = 2 * stream.Uniform() - 1;
          const std::vector<float> packed =
              PackGemmWeights(weights, rows, depth);
          GemmArguments a;
          a.weights = packed.data();
          a.bias = bias.data();
          a.in = in.data();
          a.in_stride = in.stride();
          a.out = out.data();
          a.out_stride = out.stride();
          a.rows = rows;
          a.depth = depth;
          a.pixels = pixels;
          a.relu = mode % 2 != 0;
          a.accumulate = mode / 2 != 0;
          std::vector<float> expected;
          for (int m = 0; m < rows; ++m) {
            for (int p = 0; p < pixels; ++p) {
              double sum = bias[m];
              if (a.accumulate) sum += out.data()[m * out.stride() + p];
              for (int k = 0; k < depth; ++k) {
                const double x = in.data()[k * in.stride() + p];
                sum += double{weights[m * depth + k]} *
                       (a.relu ? std::max(x, 0.0) : x);
              }
              expected.push_back(static_cast<float>(sum));
            }
          }
          GemmFor(GetParam())(a);
          // `depth` + 2 roundings of a sum whose terms are below 1.
          const float tolerance = (depth + 2) * (depth + 2) * 0x1p-24f;
          ASSERT_THAT(out.Pixels(), Pointwise(FloatNear(tolerance), expected))
              << rows << "x" << depth << "x" << pixels << " mode " << mode;
          ASSERT_TRUE(out.GuardIsWhole());
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllIsas, GemmTest, testing::ValuesIn(SupportedIsas()),
                         [](const auto& info) {
                           return std::string(IsaName(info.param));
                         });

}  // namespace
}  // namespace fairdarts
