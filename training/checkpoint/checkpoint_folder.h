#ifndef TRAINING_CHECKPOINT_CHECKPOINT_FOLDER_H_
#define TRAINING_CHECKPOINT_CHECKPOINT_FOLDER_H_

// The checkpoints of one run: the last three and the best.

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "training/checkpoint/run_kind.h"
#include "training/checkpoint/snapshot.h"
#include "training/run_log.h"

namespace fairdarts {

struct FoundCheckpoint {
  Snapshot snapshot;
  int64_t step = 0;
  std::string path;
};

// In RUN/checkpoints (checkpoint_list.h says under which names). One process at
// a time may save into it (run_lock.h).
class CheckpointFolder {
 public:
  static constexpr int kKept = 3;

  // Touches nothing yet. `run_folder` is there already.
  CheckpointFolder(std::string run_folder, RunKind kind);

  // Writes the checkpoint after `step` steps, and where `is_best` the same
  // bytes as best.safetensors; then removes all but the last three up to
  // `step`. Later steps are removed too: they belong to a course of the run
  // that was left when it was taken up again further back. An environment
  // error, such as a full disk, leaves every earlier checkpoint whole.
  absl::Status Save(const Snapshot& snapshot, int64_t step,
                    bool is_best = false) const;

  // The latest checkpoint that reads well. A damaged one is passed over with a
  // line in the log; one of another kind or of a newer program is an error.
  // Model-file error where none is left.
  absl::StatusOr<FoundCheckpoint> Latest(RunLog& log) const;

 private:
  const std::string run_folder_;
  const RunKind kind_;
};

}  // namespace fairdarts

#endif  // TRAINING_CHECKPOINT_CHECKPOINT_FOLDER_H_
