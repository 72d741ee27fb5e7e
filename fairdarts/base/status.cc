#include "fairdarts/base/status.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/types/optional.h"

namespace fairdarts {
namespace {

// A payload's key, "fairdarts/exit_code/4", holds the code and the payload
// nothing: what works on the text of a Cord is a large library.
constexpr absl::string_view kExitCodeUrl = "fairdarts/exit_code/";

absl::optional<ExitCode> CarriedCode(const absl::Status& status) {
  absl::optional<ExitCode> carried;
  status.ForEachPayload([&](absl::string_view url, const absl::Cord&) {
    int code = 0;
    if (absl::ConsumePrefix(&url, kExitCodeUrl) &&
        absl::SimpleAtoi(url, &code)) {
      carried = static_cast<ExitCode>(code);
    }
  });
  return carried;
}

}  // namespace

absl::Status Annotate(const absl::Status& status, absl::string_view context) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(),
                         absl::StrCat(context, ": ", status.message()));
  const absl::optional<ExitCode> code = CarriedCode(status);
  return code.has_value() ? WithExitCode(std::move(annotated), *code)
                          : annotated;
}

absl::Status WithExitCode(absl::Status status, ExitCode code) {
  if (!status.ok() && !CarriedCode(status).has_value()) {
    status.SetPayload(absl::StrCat(kExitCodeUrl, static_cast<int>(code)),
                      absl::Cord());
  }
  return status;
}

ExitCode ExitCodeOf(const absl::Status& status) {
  const absl::optional<ExitCode> code = CarriedCode(status);
  if (code.has_value()) return *code;
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
