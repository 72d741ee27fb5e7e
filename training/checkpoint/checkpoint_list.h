#ifndef TRAINING_CHECKPOINT_CHECKPOINT_LIST_H_
#define TRAINING_CHECKPOINT_CHECKPOINT_LIST_H_

// Which checkpoints a run folder holds:
//
//   RUN/checkpoints/step-00000123.safetensors   after 123 steps
//   RUN/checkpoints/best.safetensors

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace fairdarts {

inline constexpr char kCheckpointsFolder[] = "checkpoints";
inline constexpr char kBestCheckpoint[] = "best.safetensors";

struct ListedCheckpoint {
  int64_t step = 0;
  std::string path;
};

// "step-00000123.safetensors": at least eight digits, so that names are in the
// order of the steps.
std::string CheckpointName(int64_t step);

// The checkpoints of a run folder, the latest step first; others files and
// best.safetensors are left out. Empty where there is no such folder.
std::vector<ListedCheckpoint> ListCheckpoints(const std::string& run_folder);

}  // namespace fairdarts

#endif  // TRAINING_CHECKPOINT_CHECKPOINT_LIST_H_
