#include "fairdarts/classifier/top_classes.h"

#include <cmath>
#include <limits>
#include <vector>

#include "fairdarts/base/status.h"
#include "gtest/gtest.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

// A few roundings of doubles.
constexpr double kTolerance = 1e-14;

TEST(TopClassesTest, SoftmaxByHand) {
  // exp of these is proportional to 1 : 2 : 4 : 1.
  const float two = std::log(2.0f);
  const auto classes = TopClasses({0, two, 2 * two, 0}, 4);
  ASSERT_THAT(classes, IsOk());
  ASSERT_EQ(classes->size(), 4u);
  const std::vector<int> indices = {2, 1, 0, 3};  // a tie: the lower first
  const std::vector<double> expected = {0.5, 0.25, 0.125, 0.125};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ((*classes)[i].index, indices[i]);
    // log 2 as a float is off by 2^-25, twice that for 4.
    EXPECT_NEAR((*classes)[i].probability, expected[i], 1e-7);
  }
}

TEST(TopClassesTest, HugeLogitsDoNotOverflow) {
  for (const float shift : {0.0f, 1e4f, -1e4f, 1e30f, -1e30f}) {
    const auto classes = TopClasses({shift, shift, shift - 1e6f}, 3);
    ASSERT_THAT(classes, IsOk());
    double sum = 0;
    for (const ClassProbability& c : *classes) sum += c.probability;
    EXPECT_NEAR(sum, 1, kTolerance);
    EXPECT_EQ((*classes)[0].index, 0);
    EXPECT_GE((*classes)[0].probability, 1.0 / 3 - kTolerance);
  }
}

TEST(TopClassesTest, ProbabilitiesAreOfAllClasses) {
  const std::vector<float> logits = {1, 5, 3, 2, 4};
  const auto all = TopClasses(logits, 99);
  const auto two = TopClasses(logits, 2);
  ASSERT_THAT(all, IsOk());
  ASSERT_THAT(two, IsOk());
  ASSERT_EQ(all->size(), 5u);
  ASSERT_EQ(two->size(), 2u);
  double sum = 0;
  for (const ClassProbability& c : *all) sum += c.probability;
  EXPECT_NEAR(sum, 1, kTolerance);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ((*two)[i].index, (*all)[i].index);
    EXPECT_EQ((*two)[i].probability, (*all)[i].probability);
  }
  EXPECT_EQ((*two)[0].index, 1);
  EXPECT_EQ((*two)[1].index, 4);
}

TEST(TopClassesTest, NumbersThatAreNotFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    const auto classes = TopClasses({1, bad}, 1);
    EXPECT_THAT(classes, ExitCodeIs(ExitCode::kNumbers));
    EXPECT_THAT(classes, StatusIs(absl::StatusCode::kOutOfRange, "class 1"));
  }
}

}  // namespace
}  // namespace fairdarts
