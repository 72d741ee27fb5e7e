#include "fairdarts/base/user_path.h"

#include <cstdlib>
#include <filesystem>

namespace fairdarts {

std::string UserPath(absl::string_view path) {
  const char* const typed_in = std::getenv("BUILD_WORKING_DIRECTORY");
  const std::filesystem::path folder = typed_in == nullptr ? "" : typed_in;
  // An absolute path replaces what stands before it.
  std::filesystem::path joined =
      (folder / std::string(path)).lexically_normal();
  if (joined.empty()) return ".";
  if (!joined.has_filename() && joined.has_relative_path()) {
    joined = joined.parent_path();  // without the '/' at its end
  }
  return joined.string();
}

}  // namespace fairdarts
