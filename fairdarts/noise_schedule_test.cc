#include "fairdarts/noise_schedule.h"

#include <gmock/gmock.h>

#include <limits>
#include <string>
#include <vector>

#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

constexpr int64_t kFar = std::numeric_limits<int64_t>::max();

struct Row {
  NoiseScheduler scheduler;
  int64_t max_step;
  int64_t epoch;
  double scale;
};

// By numpy: (1 + cos(pi * e / T)) / 2 and linspace(1, 0, T).
const std::vector<Row>& Table() {
  constexpr NoiseScheduler kCosine = NoiseScheduler::kCosine;
  constexpr NoiseScheduler kStep = NoiseScheduler::kStep;
  static const auto* const table = new std::vector<Row>{
      {kCosine, 1, 0, 1},
      {kCosine, 1, 1, 0},
      {kCosine, 2, 0, 1},
      {kCosine, 2, 1, 0.5},
      {kCosine, 2, 2, 0},
      {kCosine, 5, 1, 0.9045084971874737},
      {kCosine, 5, 2, 0.6545084971874737},
      {kCosine, 5, 3, 0.34549150281252633},
      {kCosine, 5, 4, 0.09549150281252633},
      {kCosine, 5, 5, 0},
      {kCosine, 5, 6, 0},  // the cosine rises again
      {kCosine, 5, 10, 0},
      {kCosine, 30, 0, 1},
      {kCosine, 30, 1, 0.9972609476841366},
      {kCosine, 30, 7, 0.8715724127386971},
      {kCosine, 30, 15, 0.5},
      {kCosine, 30, 28, 0.010926199633097156},
      {kCosine, 30, 29, 0.0027390523158632996},
      {kCosine, 30, 30, 0},
      {kCosine, 30, kFar, 0},
      {kCosine, kFar, 0, 1},
      {kStep, 1, 0, 1},
      {kStep, 1, 1, 0},
      {kStep, 2, 0, 1},
      {kStep, 2, 1, 0},
      {kStep, 2, 2, 0},
      {kStep, 5, 0, 1},
      {kStep, 5, 1, 0.75},
      {kStep, 5, 2, 0.5},
      {kStep, 5, 3, 0.25},
      {kStep, 5, 4, 0},
      {kStep, 5, 5, 0},
      {kStep, 30, 1, 0.9655172413793104},
      {kStep, 30, 7, 0.7586206896551724},
      {kStep, 30, 15, 0.4827586206896552},
      {kStep, 30, 28, 0.034482758620689655},
      {kStep, 30, 29, 0},
      {kStep, 30, 30, 0},
      {kStep, 30, kFar, 0},
      {kStep, kFar, 0, 1},
  };
  return *table;
}

TEST(NoiseScheduleTest, Table) {
  // The scale is a float below 1, the table is rounded to double.
  constexpr double kRounding = 0x1p-25;
  for (const Row& row : Table()) {
    const absl::StatusOr<float> scale =
        NoiseScale(row.scheduler, row.epoch, row.max_step);
    ASSERT_THAT(scale, IsOk());
    const double tolerance = row.scale == 0 ? 0 : kRounding;
    EXPECT_NEAR(*scale, row.scale, tolerance)
        << NoiseSchedulerName(row.scheduler) << ", epoch " << row.epoch
        << " of " << row.max_step;
  }
}

TEST(NoiseScheduleTest, NeverRises) {
  for (const NoiseScheduler scheduler : kAllNoiseSchedulers) {
    for (const int64_t max_step : {1, 2, 3, 7, 30, 50}) {
      float last = 1;
      for (int64_t epoch = 0; epoch < max_step + 3; ++epoch) {
        const absl::StatusOr<float> scale =
            NoiseScale(scheduler, epoch, max_step);
        ASSERT_THAT(scale, IsOk());
        EXPECT_LE(*scale, last);
        EXPECT_GE(*scale, 0);
        last = *scale;
      }
      EXPECT_EQ(last, 0);
    }
  }
}

TEST(NoiseScheduleTest, RefusesWhatIsOutOfRange) {
  for (const NoiseScheduler scheduler : kAllNoiseSchedulers) {
    for (const int64_t max_step : {int64_t{0}, int64_t{-1}, -kFar}) {
      EXPECT_THAT(NoiseScale(scheduler, 0, max_step),
                  StatusIs(absl::StatusCode::kInvalidArgument,
                           "max_step is " + std::to_string(max_step) +
                               "; it must be at least 1"));
    }
    EXPECT_THAT(NoiseScale(scheduler, -1, 30),
                StatusIs(absl::StatusCode::kInvalidArgument, "epoch is -1"));
  }
}

TEST(NoiseScheduleTest, Names) {
  for (const NoiseScheduler scheduler : kAllNoiseSchedulers) {
    EXPECT_EQ(*ParseNoiseScheduler(NoiseSchedulerName(scheduler)), scheduler);
  }
  EXPECT_EQ(*ParseNoiseScheduler("cosine"), NoiseScheduler::kCosine);
  EXPECT_EQ(*ParseNoiseScheduler("step"), NoiseScheduler::kStep);
  EXPECT_THAT(ParseNoiseScheduler("linear"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "unknown noise scheduler \"linear\"; the schedulers are "
                       "cosine, step"));
  EXPECT_EQ(*ParseNoiseType("N"), SkipNoise::Kind::kNormal);
  EXPECT_EQ(*ParseNoiseType("U"), SkipNoise::Kind::kUniform);
  EXPECT_EQ(NoiseTypeName(SkipNoise::Kind::kNormal), "N");
  EXPECT_EQ(NoiseTypeName(SkipNoise::Kind::kUniform), "U");
  for (const char* name : {"none", "n", "", "NU"}) {
    EXPECT_THAT(ParseNoiseType(name),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         "unknown noise type \"" + std::string(name) +
                             "\"; the types are N"));
  }
}

}  // namespace
}  // namespace fairdarts
