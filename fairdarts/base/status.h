#ifndef FAIRDARTS_BASE_STATUS_H_
#define FAIRDARTS_BASE_STATUS_H_

// Errors that a user, a file or the environment can cause are absl::Status.
// The message names the file, the field, the value and what would be right;
// each layer adds what it knows with Annotate(). A status may carry the exit
// code that a program ends with; where it does not, its code decides.

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairdarts {

// How a program ends.
enum class ExitCode {
  kDone = 0,
  kUsage = 2,        // flags and their values
  kData = 3,         // datasets, genotypes, matrices
  kModelFile = 4,    // checkpoints and model files
  kNumbers = 5,      // NaN or infinity where a number should be
  kEnvironment = 6,  // disk, permissions, memory, devices
  // Stopped by a signal after what was done has been kept: 128 + its number.
  kInterrupted = 130,  // SIGINT
  kTerminated = 143,   // SIGTERM
};

// The same error and exit code with "context: " before the message; what else
// a status carries is left behind. OK stays OK.
absl::Status Annotate(const absl::Status& status, absl::string_view context);

// The same error, to end a program with `code`. An error that carries a code
// already keeps it: the layer closest to the fault knows best.
absl::Status WithExitCode(absl::Status status, ExitCode code);

// The code that WithExitCode set; else by kind: kDone for OK, kUsage for
// InvalidArgument, kData for NotFound, OutOfRange and DataLoss, kEnvironment
// for everything else.
ExitCode ExitCodeOf(const absl::Status& status);

// Shorthands for the common kinds, each with its exit code.
absl::Status UsageError(absl::string_view message);
absl::Status DataError(absl::string_view message);
absl::Status ModelFileError(absl::string_view message);
absl::Status NumbersError(absl::string_view message);
absl::Status EnvironmentError(absl::string_view message);

// The end of a run that a signal asked to stop: no fault, but not done either.
// `code` is kInterrupted or kTerminated.
absl::Status StoppedError(ExitCode code, absl::string_view message);

namespace internal {
inline const absl::Status& ToStatus(const absl::Status& status) {
  return status;
}
template <typename T>
const absl::Status& ToStatus(const absl::StatusOr<T>& status_or) {
  return status_or.status();
}
}  // namespace internal
}  // namespace fairdarts

#define FD_INTERNAL_CONCAT2(a, b) a##b
#define FD_INTERNAL_CONCAT(a, b) FD_INTERNAL_CONCAT2(a, b)

// FD_RETURN_IF_ERROR(expression): returns the error of a Status or StatusOr.
#define FD_RETURN_IF_ERROR(expression)                            \
  do {                                                            \
    auto&& fd_internal_result = (expression);                     \
    if (!fd_internal_result.ok()) {                               \
      return ::fairdarts::internal::ToStatus(fd_internal_result); \
    }                                                             \
  } while (false)

// FD_ASSIGN_OR_RETURN(auto value, expression): the value, or returns the error.
#define FD_ASSIGN_OR_RETURN(left, expression) \
  FD_INTERNAL_ASSIGN_OR_RETURN(               \
      FD_INTERNAL_CONCAT(fd_internal_status_or_, __LINE__), left, expression)

#define FD_INTERNAL_ASSIGN_OR_RETURN(temporary, left, expression) \
  auto temporary = (expression);                                  \
  if (!temporary.ok()) return temporary.status();                 \
  left = *std::move(temporary)

#endif  // FAIRDARTS_BASE_STATUS_H_
