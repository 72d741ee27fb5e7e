#include "training/profiling/latency.h"

#include <gtest/gtest.h>

#include <vector>

namespace fairdarts {
namespace {

// A clock that stands still but for the runs, the i-th of which takes
// times[i], or the last one for all that follow.
Latency Measure(const std::vector<double>& times,
                const RepeatOptions& options) {
  double now = 100;
  size_t run = 0;
  return MeasureLatency(
      [&] { now += times[run < times.size() ? run++ : times.size() - 1]; },
      options, [&] { return now; });
}

TEST(MeasureLatencyTest, ShortestAndMedian) {
  RepeatOptions options;
  options.seconds = 0;
  options.fewest = 5;
  const Latency odd = Measure({4, 1, 3, 9, 2}, options);
  EXPECT_EQ(odd.repetitions, 5);
  EXPECT_EQ(odd.min_seconds, 1);
  EXPECT_EQ(odd.median_seconds, 3);
  options.fewest = 4;
  EXPECT_EQ(Measure({4, 1, 2, 9}, options).median_seconds, 3);
}

TEST(MeasureLatencyTest, RepeatsUntilTheTimeIsUp) {
  RepeatOptions options;
  options.seconds = 10;
  options.fewest = 2;
  options.most = 100;
  EXPECT_EQ(Measure({0.5}, options).repetitions, 20);
  // A slow one is repeated a few times all the same, a quick one not forever.
  EXPECT_EQ(Measure({60}, options).repetitions, 2);
  EXPECT_EQ(Measure({0.0625}, options).repetitions, 100);
}

TEST(SteadySecondsTest, NeverGoesBack) {
  const double before = SteadySeconds();
  EXPECT_GE(SteadySeconds(), before);
}

}  // namespace
}  // namespace fairdarts
