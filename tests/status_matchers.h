#ifndef TESTS_STATUS_MATCHERS_H_
#define TESTS_STATUS_MATCHERS_H_

// GoogleMock matchers for absl::Status and absl::StatusOr.
//
//   EXPECT_THAT(status_or, IsOk());
//   EXPECT_THAT(status_or, IsOkAndHolds(ElementsAre(1, 2)));
//   EXPECT_THAT(status, StatusIs(absl::StatusCode::kDataLoss, "epoch 12"));
//   EXPECT_THAT(status, ExitCodeIs(ExitCode::kData));

#include <gmock/gmock.h>

#include <ostream>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace internal {

// Matches a StatusOr whose value matches; says the error of one without.
template <typename StatusOrType>
class IsOkAndHoldsImpl : public testing::MatcherInterface<StatusOrType> {
 public:
  using Value = typename std::decay_t<StatusOrType>::value_type;

  template <typename Inner>
  explicit IsOkAndHoldsImpl(Inner&& inner)
      : inner_(testing::SafeMatcherCast<const Value&>(
            std::forward<Inner>(inner))) {}

  void DescribeTo(std::ostream* os) const override {
    *os << "is OK and has a value that ";
    inner_.DescribeTo(os);
  }

  void DescribeNegationTo(std::ostream* os) const override {
    *os << "is not OK or has a value that ";
    inner_.DescribeNegationTo(os);
  }

  bool MatchAndExplain(StatusOrType actual,
                       testing::MatchResultListener* listener) const override {
    if (!actual.ok()) {
      *listener << "which is " << actual.status();
      return false;
    }
    testing::StringMatchResultListener inner_listener;
    const bool matches = inner_.MatchAndExplain(*actual, &inner_listener);
    *listener << "which holds " << testing::PrintToString(*actual);
    if (!inner_listener.str().empty()) {
      *listener << ", " << inner_listener.str();
    }
    return matches;
  }

 private:
  const testing::Matcher<const Value&> inner_;
};

template <typename Inner>
class IsOkAndHoldsMatcher {
 public:
  explicit IsOkAndHoldsMatcher(Inner inner) : inner_(std::move(inner)) {}

  template <typename StatusOrType>
  operator testing::Matcher<StatusOrType>() const {  // NOLINT: a conversion
    return testing::Matcher<StatusOrType>(
        new IsOkAndHoldsImpl<const StatusOrType&>(inner_));
  }

 private:
  const Inner inner_;
};

}  // namespace internal

MATCHER(IsOk, negation ? "is not OK" : "is OK") {
  *result_listener << "which is " << internal::ToStatus(arg);
  return internal::ToStatus(arg).ok();
}

// A StatusOr that is OK and whose value matches `inner` (or equals it).
template <typename Inner>
internal::IsOkAndHoldsMatcher<std::decay_t<Inner>> IsOkAndHolds(Inner&& inner) {
  return internal::IsOkAndHoldsMatcher<std::decay_t<Inner>>(
      std::forward<Inner>(inner));
}

// Code `code` and a message that contains `substring`.
MATCHER_P2(StatusIs, code, substring,
           std::string(negation ? "is not " : "is ") +
               absl::StatusCodeToString(code) +
               " with a message that contains " +
               testing::PrintToString(substring)) {
  const absl::Status& status = internal::ToStatus(arg);
  *result_listener << "which is " << status;
  return status.code() == code &&
         absl::StrContains(status.message(), absl::string_view(substring));
}

// The exit code with which a program ends that returns this status.
MATCHER_P(ExitCodeIs, exit_code,
          std::string(negation ? "does not end" : "ends") +
              " a program with exit code " +
              std::to_string(static_cast<int>(exit_code))) {
  const absl::Status& status = internal::ToStatus(arg);
  *result_listener << "which is " << status << ", exit code "
                   << static_cast<int>(ExitCodeOf(status));
  return ExitCodeOf(status) == exit_code;
}

}  // namespace fairdarts

#endif  // TESTS_STATUS_MATCHERS_H_
