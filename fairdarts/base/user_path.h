#ifndef FAIRDARTS_BASE_USER_PATH_H_
#define FAIRDARTS_BASE_USER_PATH_H_

// Where the paths on a command line begin.

#include <string>

#include "absl/strings/string_view.h"

namespace fairdarts {

// `path` as seen from the folder that the user typed the command in: `bazel
// run` starts programs elsewhere and names that folder in
// BUILD_WORKING_DIRECTORY. Absolute paths, and all where the variable is not
// set, stay as they are; an empty path is the folder itself.
std::string UserPath(absl::string_view path);

}  // namespace fairdarts

#endif  // FAIRDARTS_BASE_USER_PATH_H_
