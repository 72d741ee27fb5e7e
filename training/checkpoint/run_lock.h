#ifndef TRAINING_CHECKPOINT_RUN_LOCK_H_
#define TRAINING_CHECKPOINT_RUN_LOCK_H_

// One process a run: two that write into the same run folder would take each
// other's files away.

#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace fairdarts {

// Holds an advisory lock (flock) on the run folder itself; the system drops it
// when the process ends, however it ends. Where the file system knows no such
// locks none is held, and nobody is kept out.
class RunLock {
 public:
  // A usage error where another process holds it.
  static absl::StatusOr<RunLock> Acquire(const std::string& run_folder);

  RunLock(RunLock&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)) {}
  RunLock& operator=(RunLock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~RunLock();

 private:
  explicit RunLock(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;
};

}  // namespace fairdarts

#endif  // TRAINING_CHECKPOINT_RUN_LOCK_H_
