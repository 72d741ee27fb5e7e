#include "training/output_path.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "fairdarts/base/user_path.h"

namespace fairdarts {

absl::StatusOr<std::string> OutputPath(absl::string_view flag,
                                       absl::string_view typed) {
  const std::string path = UserPath(typed);
  std::error_code ignored;
  // UserPath drops a '/' at the end, which asks for a folder.
  if (absl::EndsWith(typed, "/") ||
      std::filesystem::is_directory(path, ignored)) {
    return UsageError(
        absl::StrCat("--", flag, " ", typed, ": is a folder; name a file"));
  }
  const std::filesystem::path folder =
      std::filesystem::absolute(path).parent_path();
  if (!std::filesystem::is_directory(folder, ignored)) {
    return UsageError(absl::StrCat("--", flag, " ", typed, ": ",
                                   folder.string(),
                                   " is no folder; make it first"));
  }
  return path;
}

}  // namespace fairdarts
