#include "training/studies/study_folder.h"

#include <cstdint>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "fairdarts/base/status.h"
#include "training/checkpoint/checkpoint_list.h"
#include "training/checkpoint/run_lock.h"
#include "training/search_files.h"
#include "training/train_files.h"

namespace fairdarts {
namespace {

namespace fs = std::filesystem;

bool Exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

absl::optional<std::string> NewestUnfinished(const std::string& runs_folder,
                                             RunLog& log) {
  absl::optional<std::string> newest;
  fs::file_time_type newest_time;
  std::error_code error;
  for (fs::directory_iterator it(runs_folder, error), end; !error && it != end;
       it.increment(error)) {
    const std::string path = it->path().string();
    if (!Exists(absl::StrCat(path, "/", kStudyRecord)) ||
        Exists(absl::StrCat(path, "/", kStudyRanking))) {
      continue;
    }
    std::error_code ignored;
    const fs::file_time_type time =
        fs::last_write_time(absl::StrCat(path, "/log.txt"), ignored);
    if (newest.has_value() &&
        (time < newest_time || (time == newest_time && path < *newest))) {
      continue;
    }
    if (!RunLock::Acquire(path).ok()) {
      log.Info(absl::StrCat("note: ", path,
                            " is passed over: another process is running it"));
      continue;
    }
    newest = path;
    newest_time = time;
  }
  return newest;
}

// "done", "begun" or "" of a part of a run.
std::string Progress(const absl::optional<RunFolder>& folder,
                     const std::string& part, absl::string_view finished) {
  if (!folder.has_value()) return "";
  const std::string path = folder->File(part);
  if (Exists(absl::StrCat(path, "/", finished))) return " (done)";
  if (Exists(absl::StrCat(path, "/", kDivergedFile))) return " (diverged)";
  return ListCheckpoints(path).empty() ? "" : " (begun)";
}

template <typename Config>
std::string Steps(const Config& config) {
  return config.steps_per_epoch() > 0
             ? absl::StrCat(config.epochs(), " x ", config.steps_per_epoch(),
                            " steps")
             : absl::StrCat(config.epochs(), " epochs");
}

}  // namespace

std::string SearchFolder(absl::string_view variant, uint64_t seed) {
  return absl::StrCat(StudyPlan::Folder(variant, seed), "/search");
}

std::string TrainFolder(absl::string_view variant, uint64_t seed) {
  return absl::StrCat(StudyPlan::Folder(variant, seed), "/train");
}

absl::StatusOr<absl::optional<std::string>> FindStudyFolder(
    absl::string_view resume, const std::string& runs_folder, RunLog& log) {
  if (resume == "auto") {
    absl::optional<std::string> folder = NewestUnfinished(runs_folder, log);
    if (!folder.has_value()) {
      log.Info(absl::StrCat("note: --resume=auto found no unfinished study in ",
                            runs_folder));
    }
    return folder;
  }
  const std::string path(resume);
  if (!Exists(absl::StrCat(path, "/", kStudyRecord))) {
    return UsageError(absl::StrCat("resume ", path, ": holds no ", kStudyRecord,
                                   "; give the folder of a study, or auto"));
  }
  return absl::optional<std::string>(path);
}

std::string ListRuns(const StudyPlan& plan,
                     const absl::optional<RunFolder>& folder) {
  std::string text;
  int searches = 0, trainings = 0;
  for (const StudyPlan::Run& run : plan.Runs()) {
    absl::StrAppendFormat(&text, "%-24s seed %-6d ", run.variant->name,
                          run.seed);
    if (run.variant->search.has_value()) {
      ++searches;
      absl::StrAppend(
          &text, "search ", Steps(*run.variant->search),
          Progress(folder, SearchFolder(run.variant->name, run.seed),
                   kSearchWeights),
          ", ");
    } else if (run.variant->random->has_like()) {
      absl::StrAppend(&text, "random, like ", run.variant->random->like(),
                      ", ");
    } else {
      text += "random, ";
    }
    ++trainings;
    absl::StrAppend(&text, "training ", Steps(plan.train),
                    Progress(folder, TrainFolder(run.variant->name, run.seed),
                             kTrainResult),
                    "\n");
  }
  absl::StrAppendFormat(
      &text,
      "in all %d searches and %d trainings on %s; at the end the best %d of "
      "each of %d variants on the test images",
      searches, trainings, plan.dataset, plan.tested, plan.variants.size());
  return text;
}

}  // namespace fairdarts
