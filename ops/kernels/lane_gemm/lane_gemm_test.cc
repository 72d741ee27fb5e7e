#include "ops/kernels/lane_gemm/lane_gemm.h"

#include <gmock/gmock.h>

#include <cmath>
#include <string>
#include <vector>

#include "fairdarts/base/random.h"
#include "ops/kernels/lanes.h"

namespace fairdarts {
namespace {

std::vector<float> Values(int64_t size, uint64_t seed) {
  std::vector<float> values(size);
  RandomStream stream("values", {seed});
  for (float& v : values) v = static_cast<float>(2 * stream.Uniform() - 1);
  return values;
}

class LaneGemmTest : public testing::TestWithParam<Isa> {};

TEST_P(LaneGemmTest, ProductsAgreeWithTheDefinition) {
  for (const int rows : {1, 2, 3, 4, 5, 6, 7, 13, 16}) {
    for (const int depth : {1, 3, 12, 17}) {
      for (const int width : {1, 3, 4, 5, 8}) {
        for (const bool transposed : {false, true}) {
          const int64_t in_channel = (width + 1) * kLanes;
          const int64_t out_channel = (width + 2) * kLanes;
          const std::vector<float> weights = Values(rows * depth, 1);
          const std::vector<float> in = Values(depth * in_channel, 2);
          std::vector<float> out(rows * out_channel, 7);
          std::vector<float> packed(weights.size());
          // Of the transpose, weights are [depth][rows].
          if (transposed) {
            PackLaneColumns(weights.data(), depth, rows, packed.data());
          } else {
            PackLaneRows(weights.data(), rows, depth, packed.data());
          }
          LaneGemmArguments a{packed.data(), rows,       depth,
                              width,         in.data(),  in_channel,
                              out.data(),    out_channel};
          // Asking for memory changes nothing.
          a.prefetch.read = in.data();
          a.prefetch.read_size = static_cast<int64_t>(in.size());
          LaneGemmFor(GetParam())(a);
          // `depth` roundings of a sum whose terms are below 1.
          const double tolerance = depth * depth * 0x1p-24;
          for (int m = 0; m < rows; ++m) {
            for (int n = 0; n < out_channel; ++n) {
              double expected = n < width * kLanes ? 0 : 7;
              for (int k = 0; n < width * kLanes && k < depth; ++k) {
                expected +=
                    double{weights[transposed ? k * rows + m : m * depth + k]} *
                    in[k * in_channel + n];
              }
              ASSERT_NEAR(out[m * out_channel + n], expected, tolerance)
                  << rows << "x" << depth << " width " << width << " row " << m
                  << " float " << n << (transposed ? " transposed" : "");
            }
          }
        }
      }
    }
  }
}

TEST_P(LaneGemmTest, WeightGradientAgreesWithTheDefinition) {
  for (const int rows : {1, 2, 3, 5, 6, 7, 16}) {
    for (const int depth : {1, 3, 4, 5, 9, 16}) {
      for (const int width : {1, 3, 8}) {
        constexpr int kHeight = 2;
        const int64_t dout_channel = (width + 1) * kLanes;
        const int64_t in_channel = (width + 2) * kLanes;
        const int64_t dout_row = rows * dout_channel + 16;
        const int64_t in_row = depth * in_channel + 32;
        const std::vector<float> dout = Values(kHeight * dout_row, 1);
        const std::vector<float> in = Values(kHeight * in_row, 2);
        std::vector<float> weights = Values(rows * depth, 3);
        std::vector<double> expected(weights.begin(), weights.end());
        for (int m = 0; m < rows; ++m) {
          for (int k = 0; k < depth; ++k) {
            for (int y = 0; y < kHeight; ++y) {
              for (int n = 0; n < width * kLanes; ++n) {
                expected[m * depth + k] +=
                    double{dout[y * dout_row + m * dout_channel + n]} *
                    in[y * in_row + k * in_channel + n];
              }
            }
          }
        }
        LaneGemmWeightGradientFor(GetParam())(
            {rows, depth, kHeight, width, dout.data(), dout_row, dout_channel,
             in.data(), in_row, in_channel, weights.data()});
        // Partial sums of random signs stay below 4 standard deviations of the
        // full one, 1/3 a term; one rounding each.
        const int terms = kHeight * width * kLanes;
        const double tolerance =
            (terms + 1) * (4 * std::sqrt(terms / 9.0) + 1) * 0x1p-24;
        for (size_t i = 0; i < weights.size(); ++i) {
          ASSERT_NEAR(weights[i], expected[i], tolerance)
              << rows << "x" << depth << " width " << width << " weight " << i;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllIsas, LaneGemmTest,
                         testing::ValuesIn(SupportedIsas()),
                         [](const auto& info) {
                           return std::string(IsaName(info.param));
                         });

}  // namespace
}  // namespace fairdarts
