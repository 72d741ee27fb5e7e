#include "training/command.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/status.h"
#include "fairdarts/base/user_path.h"

namespace fairdarts {

int EndProgram(const absl::Status& status, const char* program, RunLog& log) {
  if (!status.ok()) {
    log.Error(absl::StrCat(program, ": ", status.message()));
  }
  return static_cast<int>(ExitCodeOf(status));
}

std::string RunsFolder() { return UserPath("runs"); }

}  // namespace fairdarts
