#include "training/schedule/lr_schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

using ::testing::HasSubstr;

// A few roundings of double arithmetic on values up to 0.5.
constexpr double kRounding = 3e-16;

using Decay = LrScheduleOptions::Decay;

absl::StatusOr<LrSchedule> Make(Decay decay, double initial, double minimum,
                                int64_t epochs, int64_t warmup_epochs = 0) {
  LrScheduleOptions options;
  options.decay = decay;
  options.initial = initial;
  options.minimum = minimum;
  options.epochs = epochs;
  options.warmup_epochs = warmup_epochs;
  return LrSchedule::Create(options);
}

TEST(LrScheduleTest, KnownAnglesHaveKnownRates) {
  // 6 epochs: angles of 0, 30, 60, 90, 120 and 150 degrees.
  const auto schedule = Make(Decay::kCosine, 0.005, 0.001, 6);
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

TEST(LrScheduleTest, OneEpochRunsAtTheInitialRate) {
  const auto schedule = Make(Decay::kCosine, 0.025, 0, 1);
  ASSERT_TRUE(schedule.ok()) << schedule.status();
  EXPECT_DOUBLE_EQ(schedule->LearningRate(0), 0.025);
}

TEST(LrScheduleTest, LinearGoesDownInEqualSteps) {
  const auto schedule = Make(Decay::kLinear, 0.5, 0.1, 4);
  ASSERT_TRUE(schedule.ok()) << schedule.status();
  EXPECT_NEAR(schedule->LearningRate(0), 0.5, kRounding);
  EXPECT_NEAR(schedule->LearningRate(1), 0.4, kRounding);
  EXPECT_NEAR(schedule->LearningRate(2), 0.3, kRounding);
  EXPECT_NEAR(schedule->LearningRate(3), 0.2, kRounding);
}

TEST(LrScheduleTest, WarmUpRisesToTheDecayingRate) {
  for (const Decay decay : {Decay::kCosine, Decay::kLinear}) {
    const auto plain = Make(decay, 0.5, 0.1, 8);
    const auto warm = Make(decay, 0.5, 0.1, 8, 5);
    ASSERT_TRUE(plain.ok()) << plain.status();
    ASSERT_TRUE(warm.ok()) << warm.status();
    for (int64_t epoch = 0; epoch < 8; ++epoch) {
      const double part = epoch < 5 ? (epoch + 1) / 5.0 : 1;
      EXPECT_NEAR(warm->LearningRate(epoch), part * plain->LearningRate(epoch),
                  kRounding);
    }
  }
}

TEST(LrScheduleTest, RefusesAWarmUpLongerThanTheRun) {
  for (const int64_t bad : {-1, 4}) {
    const auto status = Make(Decay::kCosine, 0.5, 0, 3, bad).status();
    EXPECT_EQ(ExitCodeOf(status), ExitCode::kUsage);
    EXPECT_THAT(std::string(status.message()), HasSubstr("warmup_epochs "));
  }
}

TEST(LrScheduleTest, RefusesRatesAndEpochsThatMeanNothing) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const auto refusal = [](double initial, double minimum, int64_t epochs) {
    const auto status = Make(Decay::kLinear, initial, minimum, epochs).status();
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

TEST(LrScheduleDeathTest, AnEpochOutsideTheScheduleIsABug) {
  const auto schedule = Make(Decay::kCosine, 0.5, 0, 3);
  ASSERT_TRUE(schedule.ok());
  EXPECT_DEATH(schedule->LearningRate(3), "3 of 3");
  EXPECT_DEATH(schedule->LearningRate(-1), "-1 of 3");
}

}  // namespace
}  // namespace fairdarts
