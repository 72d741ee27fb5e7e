#ifndef TRAINING_CHECKPOINT_FIND_RUN_H_
#define TRAINING_CHECKPOINT_FIND_RUN_H_

// What --resume means.

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "training/checkpoint/run_kind.h"
#include "training/run_log.h"

namespace fairdarts {

struct ResumePoint {
  // The folder that the run goes on in.
  std::string run_folder;
  // The checkpoint that was asked for; empty: the latest of the folder that
  // reads well (CheckpointFolder::Latest).
  std::string checkpoint;
};

struct FindRunOptions {
  RunKind kind = RunKind::kSearch;
  std::string runs_folder;  // where "auto" looks
  // The file of a run folder that is there from the end of the run on.
  std::string finished_file;
};

// `resume` is
//   auto           the run folder in `runs_folder` whose latest checkpoint was
//                  written last, among those of the kind that are not finished
//                  and that no other process is running. None where there is
//                  no such folder; the log then says so.
//   a run folder   with a checkpoint in it, or that one's folder
//   RUN/checkpoints; a checkpoint   in RUN/checkpoints; the run goes on in RUN.
// A usage error for a path where nothing is or that is neither; a model-file
// error for a checkpoint that is damaged, of the other kind or of a newer
// program, and for files of torch.save, with what they lack. Paths are as the
// process sees them.
absl::StatusOr<absl::optional<ResumePoint>> FindRun(
    absl::string_view resume, const FindRunOptions& options, RunLog& log);

}  // namespace fairdarts

#endif  // TRAINING_CHECKPOINT_FIND_RUN_H_
