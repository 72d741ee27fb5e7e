#ifndef TRAINING_PROFILING_PROCESS_MEMORY_H_
#define TRAINING_PROFILING_PROCESS_MEMORY_H_

// What this process holds of the machine's memory, as Linux counts it: pages
// that are resident, shared libraries' and all threads' too. The kernel adds up
// in batches, so a number may be off by some hundred KiB.

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fairdarts {

struct ProcessMemory {
  int64_t resident_bytes = 0;
  // The most that was resident since the process began or since
  // ResetPeakMemory().
  int64_t peak_bytes = 0;
};

// From /proc/self/status. An environment error where it does not say.
absl::StatusOr<ProcessMemory> ReadProcessMemory();

// Starts the peak anew from what is resident now, through
// /proc/self/clear_refs. An environment error where the system does not allow
// it.
absl::Status ResetPeakMemory();

}  // namespace fairdarts

#endif  // TRAINING_PROFILING_PROCESS_MEMORY_H_
