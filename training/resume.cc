#include "training/resume.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "fairdarts/base/user_path.h"
#include "training/checkpoint/checkpoint_file.h"
#include "training/checkpoint/checkpoint_folder.h"

namespace fairdarts {

absl::StatusOr<absl::optional<ResumedRun>> FindResumedRun(
    absl::string_view resume, const FindRunOptions& options, RunLog& log) {
  absl::optional<ResumedRun> none;
  if (resume.empty()) return none;
  const std::string path =
      resume == "auto" ? std::string(resume) : UserPath(resume);
  FD_ASSIGN_OR_RETURN(const absl::optional<ResumePoint> point,
                      FindRun(path, options, log));
  if (!point.has_value()) return none;
  FD_ASSIGN_OR_RETURN(RunLock lock, RunLock::Acquire(point->run_folder));
  FD_ASSIGN_OR_RETURN(RunFolder folder, RunFolder::Open(point->run_folder));
  absl::optional<Snapshot> snapshot;
  if (point->checkpoint.empty()) {
    FD_ASSIGN_OR_RETURN(
        FoundCheckpoint found,
        CheckpointFolder(point->run_folder, options.kind).Latest(log));
    snapshot = std::move(found.snapshot);
  } else {
    FD_ASSIGN_OR_RETURN(snapshot,
                        ReadCheckpoint(point->checkpoint, options.kind));
  }
  return absl::optional<ResumedRun>(
      ResumedRun{std::move(folder), std::move(lock), *std::move(snapshot)});
}

absl::Status ResumeLog(const ResumedRun& run, RunLog& log) {
  FD_RETURN_IF_ERROR(log.OpenFile(run.folder.File("log.txt")));
  log.Info(absl::StrCat("resumed from ", run.snapshot.source()));
  return absl::OkStatus();
}

}  // namespace fairdarts
