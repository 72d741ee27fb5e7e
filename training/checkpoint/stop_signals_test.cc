#include "training/checkpoint/stop_signals.h"

#include <csignal>
#include <cstdlib>

#include "fairdarts/base/status.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

TEST(StopSignalsTest, AStopStaysPending) {
  StopSignals signals;
  EXPECT_EQ(signals.Poll(), StopRequest::kNone);
  EXPECT_FALSE(signals.stopping());
  EXPECT_EQ(signals.exit_code(), ExitCode::kDone);
  std::raise(SIGTERM);
  EXPECT_TRUE(signals.stopping());
  EXPECT_EQ(signals.Poll(), StopRequest::kStop);
  EXPECT_EQ(signals.Poll(), StopRequest::kStop);
  const absl::Status status = signals.StoppedStatus("after step 3");
  EXPECT_THAT(status, ExitCodeIs(ExitCode::kTerminated));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled,
                               "stopped by SIGTERM after step 3"));
}

TEST(StopSignalsTest, EachSignalHasItsExitCode) {
  StopSignals signals;
  std::raise(SIGINT);
  EXPECT_EQ(signals.Poll(), StopRequest::kStop);
  EXPECT_EQ(signals.exit_code(), ExitCode::kInterrupted);
  EXPECT_THAT(signals.StoppedStatus("x"), ExitCodeIs(ExitCode::kInterrupted));
  // The first one counts.
  std::raise(SIGTERM);
  EXPECT_EQ(signals.exit_code(), ExitCode::kInterrupted);
}

TEST(StopSignalsTest, ACheckpointIsAskedForOnce) {
  StopSignals signals;
  std::raise(SIGUSR1);
  std::raise(SIGUSR1);
  EXPECT_FALSE(signals.stopping());
  EXPECT_EQ(signals.Poll(), StopRequest::kCheckpoint);
  EXPECT_EQ(signals.Poll(), StopRequest::kNone);
  std::raise(SIGUSR1);
  EXPECT_EQ(signals.Poll(), StopRequest::kCheckpoint);
}

TEST(StopSignalsTest, ANewOneBeginsWithoutWhatWasPending) {
  {
    StopSignals signals;
    std::raise(SIGTERM);
    std::raise(SIGUSR1);
  }
  StopSignals signals;
  EXPECT_EQ(signals.Poll(), StopRequest::kNone);
}

TEST(StopSignalsTest, WhatWasThereBeforeComesBack) {
  { StopSignals signals; }
  EXPECT_EXIT(std::raise(SIGTERM), testing::KilledBySignal(SIGTERM), "");
}

TEST(StopSignalsTest, ASecondSigintKillsAtOnce) {
  for (const int first : {SIGINT, SIGTERM}) {
    EXPECT_EXIT(
        {
          StopSignals signals;
          std::raise(first);
          std::raise(SIGINT);
          std::exit(0);
        },
        testing::KilledBySignal(SIGINT), "");
  }
}

TEST(StopSignalsTest, AnIgnoredSigintIsHandledAndThenIgnoredAgain) {
  EXPECT_EXIT(
      {
        std::signal(SIGINT, SIG_IGN);
        {
          StopSignals signals;
          std::raise(SIGINT);
          if (signals.Poll() != StopRequest::kStop) std::exit(1);
        }
        std::raise(SIGINT);
        std::exit(0);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace fairdarts
