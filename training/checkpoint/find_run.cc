#include "training/checkpoint/find_run.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "training/checkpoint/checkpoint_list.h"
#include "training/checkpoint/envelope.h"
#include "training/checkpoint/run_lock.h"

namespace fairdarts {
namespace {

namespace fs = std::filesystem;

struct Candidate {
  fs::file_time_type written;  // its latest checkpoint
  std::string path;

  bool operator>(const Candidate& other) const {
    return std::tie(written, path) > std::tie(other.written, other.path);
  }
};

// The run folders with checkpoints, the one written to last first.
std::vector<Candidate> Candidates(const std::string& runs_folder) {
  std::vector<Candidate> candidates;
  std::error_code error;
  for (fs::directory_iterator it(runs_folder, error), end; !error && it != end;
       it.increment(error)) {
    const std::string path = it->path().string();
    const std::vector<ListedCheckpoint> list = ListCheckpoints(path);
    if (list.empty()) continue;
    std::error_code ignored;
    candidates.push_back(
        {fs::last_write_time(list.front().path, ignored), path});
  }
  std::sort(candidates.begin(), candidates.end(), std::greater<>());
  return candidates;
}

// Whether a checkpoint of the folder, the latest that reads well, is of the
// kind. What is damaged is left to who reads it later.
bool IsOfKind(const std::string& run_folder, RunKind kind) {
  for (const ListedCheckpoint& listed : ListCheckpoints(run_folder)) {
    const absl::Status status = LoadCheckpoint(listed.path, kind).status();
    if (status.ok()) return true;
    if (status.code() != absl::StatusCode::kDataLoss) return false;
  }
  return false;
}

absl::optional<ResumePoint> FindNewest(const FindRunOptions& options,
                                       RunLog& log) {
  for (const Candidate& candidate : Candidates(options.runs_folder)) {
    std::error_code ignored;
    if (fs::exists(absl::StrCat(candidate.path, "/", options.finished_file),
                   ignored) ||
        !IsOfKind(candidate.path, options.kind)) {
      continue;
    }
    if (!RunLock::Acquire(candidate.path).ok()) {
      log.Info(absl::StrCat("note: ", candidate.path,
                            " is passed over: another process is running it"));
      continue;
    }
    return ResumePoint{candidate.path, ""};
  }
  log.Info(absl::StrCat("note: --resume=auto found no unfinished ",
                        RunNoun(options.kind), " with a checkpoint in ",
                        options.runs_folder, "; a new one begins"));
  return absl::nullopt;
}

}  // namespace

absl::StatusOr<absl::optional<ResumePoint>> FindRun(
    absl::string_view resume, const FindRunOptions& options, RunLog& log) {
  if (resume == "auto") return FindNewest(options, log);
  std::string path(resume);
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  std::error_code error;
  if (fs::is_directory(path, error)) {
    const fs::path folder = fs::absolute(path);
    if (folder.filename() == kCheckpointsFolder &&
        ListCheckpoints(path).empty() &&
        !ListCheckpoints(folder.parent_path().string()).empty()) {
      return ResumePoint{folder.parent_path().string(), ""};
    }
    if (ListCheckpoints(path).empty()) {
      return UsageError(
          absl::StrCat("resume ", path, ": has no checkpoint in ", path, "/",
                       kCheckpointsFolder,
                       "; give another run folder, a checkpoint or auto"));
    }
    return ResumePoint{path, ""};
  }
  if (!fs::exists(path, error)) {
    return UsageError(absl::StrCat(
        "resume ", path, ": is not there; give a run folder, a checkpoint of ",
        "one or auto"));
  }
  // Reads it whole, so that what it is gets named before where it lies.
  FD_RETURN_IF_ERROR(
      Annotate(LoadCheckpoint(path, options.kind).status(), "resume"));
  const fs::path folder = fs::absolute(path).parent_path();
  if (folder.filename() != kCheckpointsFolder) {
    return UsageError(
        absl::StrCat("resume ", path, ": must lie in RUN/", kCheckpointsFolder,
                     ", because the run goes on in RUN and with its files"));
  }
  return ResumePoint{folder.parent_path().string(), path};
}

}  // namespace fairdarts
