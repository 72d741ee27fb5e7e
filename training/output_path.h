#ifndef TRAINING_OUTPUT_PATH_H_
#define TRAINING_OUTPUT_PATH_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairdarts {

// Where the file goes that a flag names, beginning where the user typed
// (fairdarts/base/user_path.h). To be asked before the work whose outcome it
// takes: a usage error that names the flag where the path is a folder or its
// own folder is not there.
absl::StatusOr<std::string> OutputPath(absl::string_view flag,
                                       absl::string_view typed);

}  // namespace fairdarts

#endif  // TRAINING_OUTPUT_PATH_H_
