#include "training/schedule/lr_schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

using ::testing::HasSubstr;

// A few roundings of double arithmetic on values around 0.01.
constexpr double kRounding = 1e-16;

TEST(CosineScheduleTest, KnownAnglesHaveKnownRates) {
  // 6 epochs: angles of 0, 30, 60, 90, 120 and 150 degrees.
  const auto schedule = CosineSchedule::Create(0.005, 0.001, 6);
  ASSERT_TRUE(schedule.ok()) << schedule.status();
  const double half_root_of_3 = 0.86602540378443864676;
  EXPECT_NEAR(schedule->LearningRate(0), 0.005, kRounding);
  EXPECT_NEAR(schedule->LearningRate(1), 0.001 + 0.002 * (1 + half_root_of_3),
              kRounding);
  EXPECT_NEAR(schedule->LearningRate(2), 0.004, kRounding);
  EXPECT_NEAR(schedule->LearningRate(3), 0.003, kRounding);
  EXPECT_NEAR(schedule->LearningRate(4), 0.002, kRounding);
  EXPECT_NEAR(schedule->LearningRate(5), 0.001 + 0.002 * (1 - half_root_of_3),
              kRounding);
}

TEST(CosineScheduleTest, OneEpochRunsAtTheInitialRate) {
  const auto schedule = CosineSchedule::Create(0.025, 0, 1);
  ASSERT_TRUE(schedule.ok()) << schedule.status();
  EXPECT_DOUBLE_EQ(schedule->LearningRate(0), 0.025);
}

TEST(CosineScheduleTest, RefusesRatesAndEpochsThatMeanNothing) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const auto refusal = [](double initial, double minimum, int64_t epochs) {
    const auto status =
        CosineSchedule::Create(initial, minimum, epochs).status();
    EXPECT_EQ(ExitCodeOf(status), ExitCode::kUsage);
    return std::string(status.message());
  };
  for (const double bad : {0.0, -1.0, nan, infinity}) {
    EXPECT_THAT(refusal(bad, 0, 1), HasSubstr("learning_rate "));
  }
  for (const double bad : {-1.0, 0.6, nan}) {
    EXPECT_THAT(refusal(0.5, bad, 1), HasSubstr("learning_rate_min "));
  }
  for (const int64_t bad : {0, -1}) {
    EXPECT_THAT(refusal(0.5, 0, bad), HasSubstr("epochs "));
  }
}

TEST(CosineScheduleDeathTest, AnEpochOutsideTheScheduleIsABug) {
  const auto schedule = CosineSchedule::Create(0.5, 0, 3);
  ASSERT_TRUE(schedule.ok());
  EXPECT_DEATH(schedule->LearningRate(3), "3 of 3");
  EXPECT_DEATH(schedule->LearningRate(-1), "-1 of 3");
}

}  // namespace
}  // namespace fairdarts
