#include "fairdarts/collapse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairdarts {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<EpochSigns> WithSkips(const std::vector<int>& skips) {
  std::vector<EpochSigns> epochs;
  for (const int count : skips) epochs.push_back({count, absl::nullopt});
  return epochs;
}

std::vector<EpochSigns> WithEigenvalues(const std::vector<double>& values) {
  std::vector<EpochSigns> epochs;
  for (const double value : values) epochs.push_back({0, value});
  return epochs;
}

TEST(CollapseTest, TwoSkipsEndASearchAtTheEpochBefore) {
  EXPECT_EQ(SkipStop({}), absl::nullopt);
  EXPECT_EQ(SkipStop(WithSkips({0, 1, 1})), absl::nullopt);
  EXPECT_EQ(SkipStop(WithSkips({0, 1, 2})), 1);
  EXPECT_EQ(SkipStop(WithSkips({0, 1, 0, 8})), 2);
  EXPECT_EQ(SkipStop(WithSkips({3})), 0);
  // Only the last epoch counts: the search has not ended before.
  EXPECT_EQ(SkipStop(WithSkips({2, 1})), absl::nullopt);
}

TEST(CollapseTest, AnEigenvalueThatRisesEndsASearchAWindowBefore) {
  // Means of five: 1 up to epoch 4; 1.2 and 1.4 up to epoch 9.
  EXPECT_EQ(EigenvalueStop(WithEigenvalues({1, 1, 1, 1, 1, 2, 1, 1, 1, 1})),
            absl::nullopt);
  EXPECT_EQ(EigenvalueStop(WithEigenvalues({1, 1, 1, 1, 1, 3, 1, 1, 1, 1})), 4);
  EXPECT_EQ(EigenvalueStop(WithEigenvalues({9, 1, 1, 1, 1, 1, 3, 1, 1, 1, 1})),
            5);
  // Exactly 1.3 is not above it: 0.5 up to 0.65.
  EXPECT_EQ(EigenvalueStop(
                WithEigenvalues({.5, .5, .5, .5, .5, 1.25, .5, .5, .5, .5})),
            absl::nullopt);
  // Nine epochs are too few for two windows.
  EXPECT_EQ(EigenvalueStop(WithEigenvalues({1, 1, 1, 1, 9, 9, 9, 9, 9})),
            absl::nullopt);
  // No factor leads from a mean that is not above zero.
  EXPECT_EQ(
      EigenvalueStop(WithEigenvalues({-1, -1, -1, -1, -1, 2, 2, 2, 2, 2})),
      absl::nullopt);
  std::vector<EpochSigns> gap = WithEigenvalues({1, 1, 1, 1, 1, 3, 3, 3, 3, 3});
  gap[7].eigenvalue.reset();
  EXPECT_EQ(EigenvalueStop(gap), absl::nullopt);
}

TEST(CollapseTest, NoRuleGoesBackFurtherThanSaid) {
  const std::vector<EpochSigns> epochs =
      WithEigenvalues({1, 1, 1, 1, 1, 1, 9, 9, 9, 9, 9});
  EXPECT_EQ(*EigenvalueStop(epochs), 10 - kMostEpochsBack);
}

TEST(CollapseTest, WarnsOnceWhereASignAppears) {
  EXPECT_THAT(CollapseWarnings({}), IsEmpty());
  EXPECT_THAT(CollapseWarnings(WithSkips({0, 1})), IsEmpty());
  EXPECT_THAT(CollapseWarnings(WithSkips({0, 3})),
              ElementsAre("warning: skip collapse: the normal cell of the "
                          "genotype has 3 skip connections"));
  EXPECT_THAT(CollapseWarnings(WithSkips({0, 3, 4})), IsEmpty());
  std::vector<EpochSigns> rising =
      WithEigenvalues({1, 1, 1, 1, 1, 3, 1, 1, 1, 1});
  EXPECT_THAT(CollapseWarnings(rising),
              ElementsAre(HasSubstr("eigenvalue rise: the largest eigenvalue "
                                    "of the loss's Hessian in the alphas was 1 "
                                    "over 5 epochs and is 1.4")));
  rising.push_back({2, 9.0});
  EXPECT_THAT(CollapseWarnings(rising), ElementsAre(HasSubstr("has 2 skip")));
}

TEST(CollapseTest, SpreadIsTheStandardDeviation) {
  EXPECT_EQ(WeightSpread({1, 4, {0.5f, 0.5f, 0.5f, 0.5f}}), 0);
  EXPECT_EQ(WeightSpread({2, 2, {0, 1, 1, 0}}), 0.5);
  // Mean 0.25, deviations 0.25 and 0.75.
  EXPECT_NEAR(WeightSpread({1, 4, {0, 0, 0, 1}}), 0.4330127, 1e-7);
}

}  // namespace
}  // namespace fairdarts
