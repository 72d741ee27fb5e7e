#include "training/checkpoint/checkpoint_folder.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "training/checkpoint/checkpoint_file.h"
#include "training/checkpoint/checkpoint_list.h"

namespace fairdarts {
namespace {

// What a process that was killed while it wrote has left (WriteFileAtomic).
void RemoveTemporaries(const std::string& folder) {
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end;
       !error && it != end; it.increment(error)) {
    if (absl::EndsWith(it->path().filename().string(), ".tmp")) {
      std::error_code ignored;
      std::filesystem::remove(it->path(), ignored);
    }
  }
}

}  // namespace

CheckpointFolder::CheckpointFolder(std::string run_folder, RunKind kind)
    : run_folder_(std::move(run_folder)), kind_(kind) {}

absl::Status CheckpointFolder::Save(const Snapshot& snapshot, int64_t step,
                                    bool is_best) const {
  FD_CHECK(snapshot.kind() == kind_);
  const std::string folder = absl::StrCat(run_folder_, "/", kCheckpointsFolder);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return EnvironmentError(
        absl::StrCat(folder, ": the folder cannot be made: ", error.message()));
  }
  RemoveTemporaries(folder);
  const std::string bytes = SerializeCheckpoint(snapshot);
  FD_RETURN_IF_ERROR(
      WriteFileAtomic(absl::StrCat(folder, "/", CheckpointName(step)), bytes));
  if (is_best) {
    FD_RETURN_IF_ERROR(
        WriteFileAtomic(absl::StrCat(folder, "/", kBestCheckpoint), bytes));
  }
  int kept = 0;
  for (const ListedCheckpoint& listed : ListCheckpoints(run_folder_)) {
    if (listed.step <= step && kept < kKept) {
      ++kept;
      continue;
    }
    std::filesystem::remove(listed.path, error);
    if (error) {
      return EnvironmentError(
          absl::StrCat(listed.path, ": cannot be removed: ", error.message()));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<FoundCheckpoint> CheckpointFolder::Latest(RunLog& log) const {
  for (const ListedCheckpoint& listed : ListCheckpoints(run_folder_)) {
    absl::StatusOr<Snapshot> snapshot = ReadCheckpoint(listed.path, kind_);
    if (snapshot.ok()) {
      return FoundCheckpoint{*std::move(snapshot), listed.step, listed.path};
    }
    if (snapshot.status().code() != absl::StatusCode::kDataLoss) {
      return snapshot.status();
    }
    log.Info(absl::StrCat("note: passed over: ", snapshot.status().message()));
  }
  return ModelFileError(absl::StrCat(
      run_folder_, "/", kCheckpointsFolder, ": holds no checkpoint that reads ",
      "well; start a new ", RunNoun(kind_), ", without --resume"));
}

}  // namespace fairdarts
