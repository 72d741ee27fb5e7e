#ifndef TRAINING_ESTIMATE_AVAILABLE_MEMORY_H_
#define TRAINING_ESTIMATE_AVAILABLE_MEMORY_H_

// How much more memory a process can take before the system ends it.

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairdarts {

struct AvailableMemory {
  int64_t bytes = 0;
  std::string limit;  // what sets it: "the machine" or "the control group"
};

// The smaller of MemAvailable in /proc/meminfo and what the limits of the
// process's control group and of those above it leave (memory.max of version 2,
// memory.limit_in_bytes of version 1; caches of files that can be dropped count
// as free). `root` is put before these paths. An environment error where
// /proc/meminfo does not say.
absl::StatusOr<AvailableMemory> ReadAvailableMemory(
    absl::string_view root = "");

}  // namespace fairdarts

#endif  // TRAINING_ESTIMATE_AVAILABLE_MEMORY_H_
