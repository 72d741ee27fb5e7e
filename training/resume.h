#ifndef TRAINING_RESUME_H_
#define TRAINING_RESUME_H_

// A run that is taken up again: its folder, its lock and its state.

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "training/checkpoint/find_run.h"
#include "training/checkpoint/run_lock.h"
#include "training/checkpoint/snapshot.h"
#include "training/run_folder.h"
#include "training/run_log.h"

namespace fairdarts {

struct ResumedRun {
  RunFolder folder;
  RunLock lock;
  Snapshot snapshot;
};

// What --resume asks for: none where `resume` is empty or "auto" finds nothing,
// which the log then says. Errors are those of FindRun and of the checkpoint,
// and a usage error where another process is at the run. Nothing is written:
// the configuration may still be refused.
absl::StatusOr<absl::optional<ResumedRun>> FindResumedRun(
    absl::string_view resume, const FindRunOptions& options, RunLog& log);

// Once the run is sure to go on: the log goes on in its log.txt and says from
// where.
absl::Status ResumeLog(const ResumedRun& run, RunLog& log);

}  // namespace fairdarts

#endif  // TRAINING_RESUME_H_
