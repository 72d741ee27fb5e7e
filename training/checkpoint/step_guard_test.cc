#include "training/checkpoint/step_guard.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "tests/status_matchers.h"
#include "training/checkpoint/stop_signals.h"

namespace fairdarts {
namespace {

using ::testing::ExitedWithCode;

// A step that never ends; the test's own time limit ends a broken guard.
[[noreturn]] void SlowStep() {
  while (true) pause();
}

StepGuard::Options Impatient() {
  StepGuard::Options options;
  options.patience = absl::Milliseconds(50);
  return options;
}

class StepGuardTest : public testing::Test {
 protected:
  std::string File() const {
    return absl::StrCat(
        testing::TempDir(), "/",
        testing::UnitTest::GetInstance()->current_test_info()->name());
  }
};

TEST_F(StepGuardTest, LeavesAStepThatTakesTooLong) {
  const std::string path = File();
  const std::string state = "before the step";
  EXPECT_EXIT(
      {
        StopSignals signals;
        StepGuard guard(signals, Impatient());
        guard.Enter([&] { return WriteFileAtomic(path, state); });
        std::raise(SIGTERM);
        SlowStep();
      },
      ExitedWithCode(143), "stopped by SIGTERM within a step; kept is");
  EXPECT_THAT(ReadFile(path), IsOkAndHolds(state));
}

TEST_F(StepGuardTest, ASignalBeforeTheStepCountsToo) {
  const std::string path = File();
  EXPECT_EXIT(
      {
        StopSignals signals;
        StepGuard guard(signals, Impatient());
        std::raise(SIGINT);
        guard.Enter([&] { return WriteFileAtomic(path, "x"); });
        SlowStep();
      },
      ExitedWithCode(130), "SIGINT");
  EXPECT_THAT(ReadFile(path), IsOkAndHolds("x"));
}

TEST_F(StepGuardTest, ASaveThatFailsSaysSo) {
  EXPECT_EXIT(
      {
        StopSignals signals;
        StepGuard guard(signals, Impatient());
        guard.Enter([] { return EnvironmentError("the disk is full"); });
        std::raise(SIGTERM);
        SlowStep();
      },
      ExitedWithCode(6), "the disk is full");
}

TEST_F(StepGuardTest, WithoutASaveItLeavesAllTheSame) {
  EXPECT_EXIT(
      {
        StopSignals signals;
        StepGuard guard(signals, Impatient());
        guard.Enter(nullptr);
        std::raise(SIGTERM);
        SlowStep();
      },
      ExitedWithCode(143), "the last checkpoint is what remains");
}

TEST_F(StepGuardTest, AStepThatEndsMeanwhileDoesNotComeBack) {
  const std::string path = File();
  EXPECT_EXIT(
      {
        StopSignals signals;
        StepGuard guard(signals, Impatient());
        std::atomic<bool> begun{false};
        guard.Enter([&] {
          begun = true;
          // Long enough for the loop to run into Leave().
          absl::SleepFor(absl::Milliseconds(200));
          return WriteFileAtomic(path, "whole");
        });
        std::raise(SIGTERM);
        while (!begun) absl::SleepFor(absl::Milliseconds(1));
        guard.Leave();
        std::_Exit(1);
      },
      ExitedWithCode(143), "");
  EXPECT_THAT(ReadFile(path), IsOkAndHolds("whole"));
}

TEST_F(StepGuardTest, AStopWaitsForAStepInTime) {
  StopSignals signals;
  bool saved = false;
  {
    StepGuard guard(signals);  // patient
    guard.Enter([&] {
      saved = true;
      return absl::OkStatus();
    });
    std::raise(SIGTERM);
    absl::SleepFor(absl::Milliseconds(250));
    guard.Leave();
    // Between steps the loop itself acts, however long it takes.
    EXPECT_EQ(signals.Poll(), StopRequest::kStop);
  }
  EXPECT_FALSE(saved);
}

TEST_F(StepGuardTest, BetweenStepsNothingIsLeft) {
  StopSignals signals;
  StepGuard guard(signals, Impatient());
  guard.Enter([] { return absl::OkStatus(); });
  guard.Leave();
  std::raise(SIGTERM);
  absl::SleepFor(absl::Milliseconds(400));
}

TEST_F(StepGuardTest, ASnapshotIsWantedWhereStepsAreLong) {
  StopSignals signals;
  StepGuard::Options options;
  options.slow_step = absl::ZeroDuration();
  StepGuard slow(signals, options);
  EXPECT_TRUE(slow.WantsSave()) << "the first step may be long";
  slow.Enter(nullptr);
  slow.Leave();
  EXPECT_TRUE(slow.WantsSave());

  options.slow_step = absl::Hours(1);
  StepGuard fast(signals, options);
  EXPECT_TRUE(fast.WantsSave());
  fast.Enter(nullptr);
  fast.Leave();
  EXPECT_FALSE(fast.WantsSave());
}

}  // namespace
}  // namespace fairdarts
