#include "tests/status_matchers.h"

#include <memory>
#include <string>

namespace fairdarts {
namespace {

using ::testing::Ge;
using ::testing::Not;
using ::testing::Pointee;

template <typename Matcher, typename T>
std::string Explanation(const Matcher& matcher, const T& value) {
  testing::StringMatchResultListener listener;
  testing::ExplainMatchResult(matcher, value, &listener);
  return listener.str();
}

TEST(StatusMatchersTest, IsOkTakesStatusAndStatusOr) {
  EXPECT_THAT(absl::OkStatus(), IsOk());
  EXPECT_THAT(absl::StatusOr<int>(3), IsOk());
  EXPECT_THAT(DataError("bad magic"), Not(IsOk()));
  EXPECT_THAT(absl::StatusOr<int>(DataError("bad magic")), Not(IsOk()));
  EXPECT_THAT(Explanation(IsOk(), DataError("bad magic")),
              testing::HasSubstr("bad magic"));
}

TEST(StatusMatchersTest, IsOkAndHoldsMatchesTheValue) {
  EXPECT_THAT(absl::StatusOr<int>(3), IsOkAndHolds(3));
  EXPECT_THAT(absl::StatusOr<int>(3), IsOkAndHolds(Ge(3)));
  EXPECT_THAT(absl::StatusOr<int>(3), Not(IsOkAndHolds(4)));
  EXPECT_THAT(absl::StatusOr<int>(DataError("bad")), Not(IsOkAndHolds(3)));
  EXPECT_THAT(absl::StatusOr<std::unique_ptr<int>>(std::make_unique<int>(7)),
              IsOkAndHolds(Pointee(7)));
  EXPECT_THAT(
      Explanation(testing::Matcher<absl::StatusOr<int>>(IsOkAndHolds(3)),
                  absl::StatusOr<int>(DataError("bad magic"))),
      testing::HasSubstr("bad magic"));
}

TEST(StatusMatchersTest, StatusIsTakesCodeAndPartOfTheMessage) {
  const absl::Status status = DataError("file: bad magic 7");
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDataLoss, "magic 7"));
  EXPECT_THAT(status, Not(StatusIs(absl::StatusCode::kDataLoss, "magic 8")));
  EXPECT_THAT(status, Not(StatusIs(absl::StatusCode::kNotFound, "magic 7")));
  EXPECT_THAT(absl::StatusOr<int>(status),
              StatusIs(absl::StatusCode::kDataLoss, "bad"));
}

TEST(StatusMatchersTest, ExitCodeIs) {
  EXPECT_THAT(ModelFileError("x"), ExitCodeIs(ExitCode::kModelFile));
  EXPECT_THAT(ModelFileError("x"), Not(ExitCodeIs(ExitCode::kData)));
  EXPECT_THAT(absl::StatusOr<int>(3), ExitCodeIs(ExitCode::kDone));
}

}  // namespace
}  // namespace fairdarts
