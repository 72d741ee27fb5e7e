#ifndef TRAINING_PROFILING_CHILD_PROCESS_H_
#define TRAINING_PROFILING_CHILD_PROCESS_H_

// Work in a process of its own: its memory is its own, and when the system
// kills it for want of memory the caller lives on.

#include <functional>
#include <string>

#include "absl/status/statusor.h"

namespace fairdarts {

// What `work` returns when it is run in a forked child, error and exit code
// included. An environment error where the child cannot be made or dies. To be
// called while the process has one thread; the child runs no destructors of
// static objects and no exit handlers.
absl::StatusOr<std::string> RunInChild(
    const std::function<absl::StatusOr<std::string>()>& work);

}  // namespace fairdarts

#endif  // TRAINING_PROFILING_CHILD_PROCESS_H_
