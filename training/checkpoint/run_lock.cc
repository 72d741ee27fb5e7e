#include "training/checkpoint/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"

namespace fairdarts {

absl::StatusOr<RunLock> RunLock::Acquire(const std::string& run_folder) {
  const int descriptor =
      open(run_folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) {
    return EnvironmentError(absl::StrCat(
        run_folder, ": cannot open the run's folder: ", std::strerror(errno)));
  }
  RunLock lock(descriptor);
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return UsageError(absl::StrCat(
        run_folder, ": another process is running it; stop that one first"));
  }
  return lock;
}

RunLock::~RunLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace fairdarts
