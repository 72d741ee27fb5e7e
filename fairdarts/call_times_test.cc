#include "fairdarts/call_times.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace fairdarts {
namespace {

TEST(CallTimesTest, ABurstHasItsCallsAndItsTime) {
  CallTimes times;
  EXPECT_EQ(times.calls(), 0);
  int calls = 0;
  times.Burst(0, 0, [&] { ++calls; });
  EXPECT_EQ(calls, 1);
  times.Burst(0, 3, [&] { ++calls; });
  EXPECT_EQ(calls, 4);
  EXPECT_EQ(times.calls(), 4);
  const auto begin = std::chrono::steady_clock::now();
  times.Burst(0.02, 1, [&] { ++calls; });
  EXPECT_GE(std::chrono::steady_clock::now() - begin,
            std::chrono::milliseconds(20));
  EXPECT_EQ(times.calls(), calls);
}

// Sleeping never ends early.
void Sleep() { std::this_thread::sleep_for(std::chrono::milliseconds(50)); }

TEST(CallTimesTest, TheFirstCallIsTheFirst) {
  CallTimes times;
  int calls = 0;
  times.Burst(0, 11, [&] {
    if (calls++ == 0) Sleep();
  });
  EXPECT_GE(times.first(), 0.05);
  EXPECT_LE(times.min(), times.median());
  EXPECT_LT(times.median(), times.first());
  EXPECT_GT(times.first_over_median(), 1);
}

TEST(CallTimesTest, TheFirstCallIsMeasuredAgainstItsOwnBurst) {
  CallTimes times;
  times.Burst(0, 5, Sleep);
  // Faster by orders of magnitude.
  times.Burst(0, 20, [] {});
  EXPECT_GT(times.first(), 10 * times.median());
  EXPECT_LT(times.first_over_median(), 10);
  EXPECT_LT(times.best_burst(), times.first());
}

TEST(CallTimesTest, TheBestBurstIsTheOneOfTheLeastMean) {
  CallTimes times;
  int calls = 0;
  times.Burst(0, 2, [&] {
    if (calls++ == 0) Sleep();
  });
  times.Burst(0, 1, Sleep);
  EXPECT_GE(times.best_burst(), 0.025);
  EXPECT_LT(times.best_burst(), times.first());
  EXPECT_LT(times.min(), times.best_burst());
}

TEST(CallTimesDeathTest, NothingWasCalled) {
  EXPECT_DEATH(CallTimes().min(), "nothing was called");
}

}  // namespace
}  // namespace fairdarts
