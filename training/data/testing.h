#ifndef TRAINING_DATA_TESTING_H_
#define TRAINING_DATA_TESTING_H_

// What the tests of this package make their files from.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/status.h"

namespace fairdarts {

// An idx file of unsigned bytes, well-formed if the values fill `dimensions`.
std::string IdxBytes(const std::vector<uint32_t>& dimensions,
                     const std::vector<uint8_t>& values);

std::string Gzip(absl::string_view bytes);

// Values that look random and are the same every time.
std::vector<uint8_t> Noise(absl::string_view name, int64_t size);

// A fresh folder that the test may write to.
std::string FreshFolder(absl::string_view name);

// Writes a file, making its folder first.
void WriteTestFile(const std::string& path, absl::string_view contents);

// A one-line error that ends a program with `code` and whose message matches.
MATCHER_P2(IsError, code, message_matcher, "") {
  const absl::Status& status = internal::ToStatus(arg);
  *result_listener << status.ToString();
  const std::string message(status.message());
  return !status.ok() && ExitCodeOf(status) == code &&
         message.find('\n') == std::string::npos &&
         ::testing::ExplainMatchResult(message_matcher, message,
                                       result_listener);
}

template <typename M>
auto IsDataError(const M& message_matcher) {
  return IsError(ExitCode::kData, message_matcher);
}

template <typename M>
auto IsUsageError(const M& message_matcher) {
  return IsError(ExitCode::kUsage, message_matcher);
}

}  // namespace fairdarts

#endif  // TRAINING_DATA_TESTING_H_
