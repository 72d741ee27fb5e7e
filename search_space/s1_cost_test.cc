#include "search_space/s1_cost.h"

#include <gtest/gtest.h>

#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

TEST(S1CostTest, AddsUpWhatTheCellsHold) {
  // Three cells from C = 2 on 4x4: normal (C=2), reduction to 2x2 (C=4),
  // reduction to 1x1 (C=8).
  const S1Config config = {/*channels=*/2, /*layers=*/3, /*classes=*/5,
                           /*image_channels=*/1};
  // The separable candidates of an edge, a pixel of the output: both 3x3 and
  // both 5x5 of sep_conv, the dilated 3x3 and 5x5, with a 1x1 each.
  const auto edge = [](int64_t c, int64_t first_pixels, int64_t pixels) {
    return (9 * c + c * c) * (first_pixels + 2 * pixels) +
           (25 * c + c * c) * (first_pixels + 2 * pixels);
  };
  // The first half's stride is in its depthwise, so all outputs are small.
  const int64_t normal = (6 + 6) * 2 * 16 + 14 * edge(2, 16, 16);
  // Eight edges leave the inputs; their skip is a FactorizedReduce.
  const int64_t first = (6 + 8) * 4 * 16 + 14 * edge(4, 4, 4) + 8 * 4 * 4 * 4;
  // Its input from before the reduction is reduced to the other's size.
  const int64_t second = (8 + 16) * 8 * 4 + 14 * edge(8, 1, 1) + 8 * 8 * 8;
  const absl::StatusOr<S1Macs> macs = S1ForwardMacs(config, 4, 4);
  ASSERT_THAT(macs, IsOk());
  EXPECT_EQ(macs->stem, 9 * 6 * 16);
  EXPECT_EQ(macs->cells, normal + first + second);
  EXPECT_EQ(macs->classifier, 32 * 5);
}

TEST(S1CostTest, AStepCountsItsPasses) {
  const S1Macs forward = {/*stem=*/1000, /*cells=*/100, /*classifier=*/10};
  EXPECT_EQ(SearchStepMacs(forward, false), 3550);
  EXPECT_EQ(SearchStepMacs(forward, true), 2330);
}

}  // namespace
}  // namespace fairdarts
