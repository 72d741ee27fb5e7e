#include "training/train_command.h"

#include <ATen/Parallel.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/types/optional.h"
#include "fairdarts/base/status.h"
#include "genotypes/cost.h"
#include "genotypes/genotype.h"
#include "genotypes/python_literal.h"
#include "ops/torch_status.h"
#include "training/cell_files.h"
#include "training/checkpoint/run_lock.h"
#include "training/checkpoint/stop_signals.h"
#include "training/command.h"
#include "training/compute_setup.h"
#include "training/config_file.h"
#include "training/data/dataset.h"
#include "training/flags.h"
#include "training/genotype_argument.h"
#include "training/program_config.h"
#include "training/resume.h"
#include "training/run_folder.h"
#include "training/train_config.h"
#include "training/train_loop.h"

namespace fairdarts {
namespace {

void LogStart(const TrainConfig& config, const Dataset& dataset,
              const TrainLoop& loop, RunLog& log) {
  log.Info(absl::StrFormat(
      "recipe %s on %s: %d images %dx%dx%d of %d classes, the first %d to "
      "train on, %s",
      config.recipe(), dataset.name, dataset.size(), dataset.channels,
      dataset.height, dataset.width, dataset.classes, loop.sampler().samples(),
      loop.held_out() > 0
          ? absl::StrFormat("the last %d to choose the best epoch by",
                            loop.held_out())
          : "none held out"));
  // The network was built from it, so it can be priced.
  const NetworkCost cost =
      *ComputeNetworkCost(loop.network().genotype(), loop.network().config());
  log.Info(absl::StrFormat(
      "network: %d cells from %d channels, %.3f M parameters%s, %.1f M "
      "multiply-accumulates an image; %d epochs of %d steps, batch %d; %d "
      "threads",
      config.layers(), config.init_channels(), cost.total.parameters * 1e-6,
      config.auxiliary()
          ? absl::StrFormat(" (%.3f M of them in the auxiliary head)",
                            cost.auxiliary.parameters * 1e-6)
          : "",
      cost.total.macs * 1e-6, config.epochs(), loop.sampler().steps_per_epoch(),
      config.batch_size(), at::get_num_threads()));
  log.Info(loop.engine());
  if (config.device() == TrainConfig::CUDA) {
    log.Info(absl::StrCat("steps on the GPU: ",
                          config.cuda_graph()
                              ? "recorded as a CUDA graph, but for an epoch's "
                                "smaller last one"
                              : "one operation after another"));
  }
}

void LogResult(const TrainResult& result, const RunFolder& folder,
               RunLog& log) {
  if (result.best_valid_top1.has_value()) {
    log.Info(absl::StrFormat(
        "top-1 on the held-out images: %.2f %% in the best epoch, %d; %.2f %% "
        "in the last",
        100 * *result.best_valid_top1, result.best_epoch + 1,
        100 * *result.last_valid_top1));
  }
  log.Info(absl::StrCat(
      "files in ", folder.path(), ": ",
      result.best_valid_top1.has_value() ? absl::StrCat(kBestWeights, ", ")
                                         : "",
      kLastWeights, ", ", kTrainMetrics, ", log.txt, checkpoints/ and more"));
  log.Info(absl::StrCat(
      "next: the test set: ./bazelw run //training:evaluate -- --run='",
      folder.path(), "'"));
}

// What a run works on, new or taken up again.
struct Assignment {
  TrainConfig config;
  Genotype genotype;
  absl::optional<ResumedRun> resumed;
};

absl::StatusOr<Assignment> NewRun(int argc, const char* const* argv,
                                  RunLog& log) {
  FD_ASSIGN_OR_RETURN(ResolvedTrain resolved, TrainFromCommandLine(argc, argv));
  if (!resolved.note.empty()) log.Info(resolved.note);
  GenotypeArgumentOptions options;
  options.parse_method = resolved.config.parse_method();
  options.runs_folder = RunsFolder();
  FD_ASSIGN_OR_RETURN(
      const GenotypeArgument argument,
      ResolveGenotypeArgument(resolved.config.genotype(), options));
  if (resolved.config.reweight() &&
      argument.genotype.form != GenotypeForm::kWeighted) {
    return UsageError(absl::StrCat(
        "reweight: the genotype ", argument.name, " is of ",
        FormName(argument.genotype.form),
        ", without weights; search with "
        "--parse_method=darts --reweight, or derive so, to have some"));
  }
  log.Info(absl::StrCat("genotype ", argument.name, ": ",
                        ToPythonText(argument.genotype)));
  if (!argument.note.empty()) log.Info(argument.note);
  // The record must mean the same wherever and whenever it is read.
  resolved.config.set_genotype(argument.record);
  return Assignment{std::move(resolved.config), argument.genotype,
                    absl::nullopt};
}

absl::StatusOr<Assignment> Resumed(ResumedRun run, int argc,
                                   const char* const* argv) {
  const std::string record = run.folder.File(kConfigFile);
  FD_ASSIGN_OR_RETURN(const std::string text, run.snapshot.Text("config"));
  FD_ASSIGN_OR_RETURN(TrainConfig config,
                      TrainFromRecord(text, record, argc, argv));
  FD_ASSIGN_OR_RETURN(const std::string genotype,
                      run.snapshot.Text("genotype"));
  const absl::StatusOr<Genotype> parsed = ParsePythonGenotype(genotype);
  if (!parsed.ok()) {
    return run.snapshot.Error(
        absl::StrCat("genotype: ", parsed.status().message()));
  }
  return Assignment{std::move(config), *parsed, std::move(run)};
}

absl::StatusOr<Assignment> FindAssignment(int argc, const char* const* argv,
                                          RunLog& log) {
  FD_ASSIGN_OR_RETURN(const std::string resume,
                      ResumeFlag<TrainConfig>(argc, argv));
  FindRunOptions options;
  options.kind = RunKind::kTrain;
  options.runs_folder = RunsFolder();
  options.finished_file = kTrainResult;
  FD_ASSIGN_OR_RETURN(absl::optional<ResumedRun> run,
                      FindResumedRun(resume, options, log));
  return run.has_value() ? Resumed(*std::move(run), argc, argv)
                         : NewRun(argc, argv, log);
}

absl::Status Train(int argc, const char* const* argv, RunLog& log) {
  StopSignals signals;
  FD_ASSIGN_OR_RETURN(Assignment assignment, FindAssignment(argc, argv, log));
  const TrainConfig& config = assignment.config;
  SetUpCompute(config.threads());
  FD_ASSIGN_OR_RETURN(
      const Dataset dataset,
      LoadDataset(config.dataset(), config.data(), Split::kTrain));
  FD_ASSIGN_OR_RETURN(const std::unique_ptr<TrainLoop> loop,
                      TrainLoop::Create(config, assignment.genotype, &dataset));
  if (assignment.resumed.has_value()) {
    FD_RETURN_IF_ERROR(loop->Resume(assignment.resumed->snapshot));
    FD_RETURN_IF_ERROR(ResumeLog(*assignment.resumed, log));
  }
  absl::optional<RunFolder> folder;
  absl::optional<RunLock> lock;
  if (assignment.resumed.has_value()) {
    folder = assignment.resumed->folder;
  } else {
    FD_ASSIGN_OR_RETURN(
        folder, RunFolder::Create(RunsFolder(), config.save(), absl::Now()));
    FD_ASSIGN_OR_RETURN(RunLock held, RunLock::Acquire(folder->path()));
    lock.emplace(std::move(held));
    FD_RETURN_IF_ERROR(log.OpenFile(folder->File("log.txt")));
    FD_RETURN_IF_ERROR(folder->Write(kConfigFile, TrainConfigText(config)));
    FD_RETURN_IF_ERROR(WriteGenotypeFiles(assignment.genotype, *folder));
  }
  LogStart(config, dataset, *loop, log);
  FD_ASSIGN_OR_RETURN(const TrainResult result,
                      loop->Run(*folder, signals, log));
  LogResult(result, *folder, log);
  return absl::OkStatus();
}

}  // namespace

int TrainCommand(int argc, const char* const* argv, RunLog& log) {
  if (HelpRequested(argc, argv)) {
    log.Info(TrainHelp());
    return static_cast<int>(ExitCode::kDone);
  }
  // What LibTorch throws outside of a step, such as an error of a GPU that
  // comes late, ends as others do.
  return EndProgram(CatchTorch([&] { return Train(argc, argv, log); }), "train",
                    log);
}

}  // namespace fairdarts
