#include "fairdarts/base/status.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"

namespace fairdarts {
namespace {

constexpr absl::string_view kExitCodeUrl = "fairdarts/exit_code";

}  // namespace

absl::Status Annotate(const absl::Status& status, absl::string_view context) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(),
                         absl::StrCat(context, ": ", status.message()));
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    annotated.SetPayload(url, payload);
  });
  return annotated;
}

absl::Status WithExitCode(absl::Status status, ExitCode code) {
  if (!status.ok() && !status.GetPayload(kExitCodeUrl).has_value()) {
    status.SetPayload(kExitCodeUrl,
                      absl::Cord(absl::StrCat(static_cast<int>(code))));
  }
  return status;
}

ExitCode ExitCodeOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kExitCodeUrl);
  int code = 0;
  if (payload.has_value() && absl::SimpleAtoi(std::string(*payload), &code)) {
    return static_cast<ExitCode>(code);
  }
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kDone;
    case absl::StatusCode::kInvalidArgument:
      return ExitCode::kUsage;
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kDataLoss:
      return ExitCode::kData;
    default:
      return ExitCode::kEnvironment;
  }
}

absl::Status UsageError(absl::string_view message) {
  return WithExitCode(absl::InvalidArgumentError(message), ExitCode::kUsage);
}

absl::Status DataError(absl::string_view message) {
  return WithExitCode(absl::DataLossError(message), ExitCode::kData);
}

absl::Status ModelFileError(absl::string_view message) {
  return WithExitCode(absl::DataLossError(message), ExitCode::kModelFile);
}

absl::Status NumbersError(absl::string_view message) {
  return WithExitCode(absl::OutOfRangeError(message), ExitCode::kNumbers);
}

absl::Status EnvironmentError(absl::string_view message) {
  return WithExitCode(absl::UnavailableError(message), ExitCode::kEnvironment);
}

absl::Status StoppedError(ExitCode code, absl::string_view message) {
  return WithExitCode(absl::CancelledError(message), code);
}

}  // namespace fairdarts
