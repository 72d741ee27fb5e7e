#include "fairdarts/base/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace fairdarts {
namespace {

TEST(StatusTest, AnnotateAddsContextAndKeepsKindAndExitCode) {
  const absl::Status status =
      Annotate(Annotate(NumbersError("loss is NaN"), "step 7"), "epoch 12");
  EXPECT_EQ(status.message(), "epoch 12: step 7: loss is NaN");
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kNumbers);
  EXPECT_TRUE(Annotate(absl::OkStatus(), "epoch 12").ok());
}

TEST(StatusTest, EveryKindHasItsExitCode) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), ExitCode::kDone);
  EXPECT_EQ(ExitCodeOf(UsageError("")), ExitCode::kUsage);
  EXPECT_EQ(ExitCodeOf(DataError("")), ExitCode::kData);
  EXPECT_EQ(ExitCodeOf(ModelFileError("")), ExitCode::kModelFile);
  EXPECT_EQ(ExitCodeOf(NumbersError("")), ExitCode::kNumbers);
  EXPECT_EQ(ExitCodeOf(EnvironmentError("")), ExitCode::kEnvironment);
  EXPECT_EQ(ExitCodeOf(StoppedError(ExitCode::kInterrupted, "")),
            ExitCode::kInterrupted);
  EXPECT_EQ(
      static_cast<int>(ExitCodeOf(StoppedError(ExitCode::kTerminated, ""))),
      143);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("")), ExitCode::kUsage);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("")), ExitCode::kData);
  EXPECT_EQ(ExitCodeOf(absl::DataLossError("")), ExitCode::kData);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("")), ExitCode::kEnvironment);
}

TEST(StatusTest, TheFirstExitCodeStays) {
  const absl::Status status =
      WithExitCode(DataError("bad magic"), ExitCode::kUsage);
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kData);
  EXPECT_TRUE(WithExitCode(absl::OkStatus(), ExitCode::kUsage).ok());
}

absl::StatusOr<std::unique_ptr<int>> Half(int value) {
  if (value % 2 != 0) return UsageError("odd");
  return std::make_unique<int>(value / 2);
}

absl::StatusOr<int> Quarter(int value) {
  FD_ASSIGN_OR_RETURN(const std::unique_ptr<int> half, Half(value));
  FD_ASSIGN_OR_RETURN(const std::unique_ptr<int> quarter, Half(*half));
  return *quarter;
}

absl::Status IsMultipleOfFour(int value) {
  FD_RETURN_IF_ERROR(Quarter(value));
  return absl::OkStatus();
}

TEST(StatusTest, MacrosReturnTheErrorOrGoOn) {
  EXPECT_EQ(*Quarter(12), 3);
  EXPECT_EQ(Quarter(6).status(), UsageError("odd"));
  EXPECT_TRUE(IsMultipleOfFour(8).ok());
  EXPECT_EQ(IsMultipleOfFour(7), UsageError("odd"));
}

}  // namespace
}  // namespace fairdarts
