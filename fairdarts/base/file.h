#ifndef FAIRDARTS_BASE_FILE_H_
#define FAIRDARTS_BASE_FILE_H_

// Whole files in and out. Errors name the path and say what would be right.

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairdarts {

// The default bound of ReadFile: no file of the project is larger.
inline constexpr int64_t kMaxFileBytes = int64_t{4} << 30;

// The contents of a regular file of at most `max_bytes`. NotFound when it is
// not there; what cannot be read or is too large is a data error.
absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     int64_t max_bytes = kMaxFileBytes);

// Writes a temporary file beside `path`, syncs it, renames it to `path` and
// syncs the folder: after a crash either the old or the new contents are
// there, whole. Fails with an environment error; the old file then stays.
absl::Status WriteFileAtomic(const std::string& path,
                             absl::string_view contents);

}  // namespace fairdarts

#endif  // FAIRDARTS_BASE_FILE_H_
