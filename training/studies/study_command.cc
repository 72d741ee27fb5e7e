#include "training/studies/study_command.h"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/types/optional.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "fairdarts/base/user_path.h"
#include "training/checkpoint/run_lock.h"
#include "training/checkpoint/stop_signals.h"
#include "training/command.h"
#include "training/compute_setup.h"
#include "training/config_file.h"
#include "training/data/dataset.h"
#include "training/field_value.h"
#include "training/flags.h"
#include "training/recipes.h"
#include "training/run_folder.h"
#include "training/studies/study.pb.h"
#include "training/studies/study_folder.h"
#include "training/studies/study_loop.h"
#include "training/studies/study_plan.h"

namespace fairdarts {
namespace {

std::string Help() {
  std::vector<std::string> names;
  for (const Recipe& recipe : StudyRecipes()) names.emplace_back(recipe.name);
  return absl::StrCat(
      "Repeats searches with several seeds, trains what they find and "
      "compares.\n"
      "usage: bazel run //training:study -- --recipe=WHICH [flags]\n"
      "       bazel run //training:study -- --resume=FOLDER [flags]\n\n"
      "Recipes: ",
      absl::StrJoin(names, ", "), "\n\n", FlagsHelp(StudyFlags()));
}

// A study to run, new or taken up again.
struct Assignment {
  StudyPlan plan;
  absl::optional<RunFolder> folder;
};

absl::StatusOr<Assignment> FindAssignment(const StudyFlags& flags,
                                          RunLog& log) {
  Assignment assignment;
  if (!flags.resume().empty()) {
    const std::string resume =
        flags.resume() == "auto" ? flags.resume() : UserPath(flags.resume());
    FD_ASSIGN_OR_RETURN(const absl::optional<std::string> path,
                        FindStudyFolder(resume, RunsFolder(), log));
    if (path.has_value()) {
      FD_ASSIGN_OR_RETURN(assignment.folder, RunFolder::Open(*path));
    }
  }
  absl::optional<StudyPlan> given;
  if (!flags.recipe().empty()) {
    FD_ASSIGN_OR_RETURN(const StudyText study, FindStudy(flags.recipe()));
    FD_ASSIGN_OR_RETURN(given, ParseStudy(study.text, study.source));
  }
  if (!assignment.folder.has_value()) {
    if (!given.has_value()) {
      return UsageError(
          "recipe: which study is it? give --recipe a name that --help lists, "
          "or a file");
    }
    assignment.plan = *std::move(given);
    return assignment;
  }
  const std::string record = assignment.folder->File(kStudyRecord);
  FD_ASSIGN_OR_RETURN(const std::string text,
                      ReadFile(record, kMaxConfigBytes));
  absl::StatusOr<StudyPlan> recorded = ParseStudy(text, record);
  if (!recorded.ok()) {
    return ModelFileError(recorded.status().message());
  }
  if (given.has_value() && given->record != recorded->record) {
    return UsageError(absl::StrCat(
        "recipe ", flags.recipe(), ": the study that is resumed has another (",
        record, "); leave it out, or start a new study"));
  }
  if (!flags.save().empty()) {
    return UsageError(
        "save: a study that is resumed has its folder; leave it out");
  }
  assignment.plan = *std::move(recorded);
  return assignment;
}

void LogWarnings(const StudyPlan& plan, RunLog& log) {
  for (const std::string& warning : StudyWarnings(plan)) log.Info(warning);
}

absl::Status RunFromFlags(const StudyFlags& flags, RunLog& log) {
  StopSignals signals;
  FD_ASSIGN_OR_RETURN(Assignment assignment, FindAssignment(flags, log));
  const StudyPlan& plan = assignment.plan;
  if (flags.list()) {
    log.Info(ListRuns(plan, assignment.folder));
    LogWarnings(plan, log);
    return absl::OkStatus();
  }
  if (!flags.save().empty()) {
    FD_RETURN_IF_ERROR(Annotate(CheckRunName(flags.save()), "save"));
  }
  StudyMachine machine;
  if (!flags.data().empty()) {
    machine.data = std::filesystem::absolute(UserPath(flags.data())).string();
  }
  machine.threads = flags.threads();
  machine.report_freq = flags.report_freq();
  SetUpCompute(machine.threads);
  FD_ASSIGN_OR_RETURN(const Dataset train,
                      LoadDataset(plan.dataset, machine.data, Split::kTrain));
  const bool resumed = assignment.folder.has_value();
  if (!resumed) {
    FD_ASSIGN_OR_RETURN(
        assignment.folder,
        RunFolder::Create(RunsFolder(),
                          flags.save().empty() ? plan.name : flags.save(),
                          absl::Now()));
  }
  const RunFolder& folder = *assignment.folder;
  FD_ASSIGN_OR_RETURN(const RunLock lock, RunLock::Acquire(folder.path()));
  FD_RETURN_IF_ERROR(log.OpenFile(folder.File("log.txt")));
  if (!resumed) {
    FD_RETURN_IF_ERROR(folder.Write(kStudyRecord, plan.record));
  }
  log.Info(absl::StrCat("study ", plan.name, ": ", plan.variants.size(),
                        " variants, ", plan.seeds.size(), " seeds, in ",
                        folder.path(), resumed ? ", taken up again" : ""));
  LogWarnings(plan, log);
  StudyData data;
  data.train = &train;
  data.load_test = [&] {
    return LoadDataset(plan.dataset, machine.data, Split::kTest);
  };
  FD_RETURN_IF_ERROR(RunStudy(plan, machine, data, folder, signals, log));
  log.Info(absl::StrCat("tables in ", folder.path(),
                        ": table.md, ranked.md, alphas.svg, runs.csv and "
                        "more; each search and training in a folder of its "
                        "own below it"));
  return absl::OkStatus();
}

absl::Status RunFromCommandLine(int argc, const char* const* argv,
                                RunLog& log) {
  StudyFlags flags;
  FD_RETURN_IF_ERROR(ParseFlags(argc, argv, flags));
  FD_RETURN_IF_ERROR(CheckFields(flags));
  return RunFromFlags(flags, log);
}

}  // namespace

int StudyCommand(int argc, const char* const* argv, RunLog& log) {
  if (HelpRequested(argc, argv)) {
    log.Info(Help());
    return static_cast<int>(ExitCode::kDone);
  }
  return EndProgram(RunFromCommandLine(argc, argv, log), "study", log);
}

}  // namespace fairdarts
