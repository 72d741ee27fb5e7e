#include "training/profiling/child_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <string>

#include "fairdarts/base/status.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

TEST(RunInChildTest, GivesWhatTheWorkReturns) {
  // More than a pipe holds, with spaces and zeros.
  std::string large(1 << 20, ' ');
  large[1000] = '\0';
  EXPECT_THAT(RunInChild([&] { return large; }), IsOkAndHolds(large));
  EXPECT_THAT(RunInChild([] { return std::string(); }), IsOkAndHolds(""));
}

TEST(RunInChildTest, TheWorkTouchesNothingOfTheCallers) {
  int here = 1;
  const pid_t parent = getpid();
  EXPECT_THAT(RunInChild([&]() -> absl::StatusOr<std::string> {
                here = 2;
                return getpid() == parent ? "same" : "other";
              }),
              IsOkAndHolds("other"));
  EXPECT_EQ(here, 1);
}

TEST(RunInChildTest, AnErrorComesBackWithItsExitCode) {
  const absl::Status status = RunInChild([]() -> absl::StatusOr<std::string> {
                                return ModelFileError("file x: is empty");
                              }).status();
  EXPECT_EQ(status.message(), "file x: is empty");
  EXPECT_EQ(status.code(), ModelFileError("").code());
  EXPECT_THAT(status, ExitCodeIs(ExitCode::kModelFile));
}

TEST(RunInChildTest, AChildThatDiesIsAnError) {
  const absl::Status killed = RunInChild([]() -> absl::StatusOr<std::string> {
                                raise(SIGKILL);
                                return "";
                              }).status();
  EXPECT_THAT(killed, StatusIs(absl::StatusCode::kUnavailable, "signal 9"));
  EXPECT_THAT(std::string(killed.message()),
              testing::HasSubstr("memory runs out"));
  EXPECT_THAT(killed, ExitCodeIs(ExitCode::kEnvironment));
  const absl::Status silent =
      RunInChild([]() -> absl::StatusOr<std::string> { _exit(0); }).status();
  EXPECT_THAT(silent, ExitCodeIs(ExitCode::kEnvironment));
  EXPECT_EQ(silent.message(), "a child process ended without a word");
}

}  // namespace
}  // namespace fairdarts
