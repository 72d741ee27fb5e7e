#ifndef FAIRDARTS_CLASSIFIER_IMAGE_SOURCE_H_
#define FAIRDARTS_CLASSIFIER_IMAGE_SOURCE_H_

#include <cstdint>
#include <istream>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairdarts {

// How large the file of an image may be.
inline constexpr int64_t kMaxImageFileBytes = int64_t{256} << 20;

// The bytes of an image: of a file, whose path begins where the user typed it
// (fairdarts/base/user_path.h), or for "-" all of `standard_input`. Data errors
// begin with the name: what is not there, no regular file or too large.
absl::StatusOr<std::string> ReadImageBytes(absl::string_view name,
                                           std::istream& standard_input);

}  // namespace fairdarts

#endif  // FAIRDARTS_CLASSIFIER_IMAGE_SOURCE_H_
