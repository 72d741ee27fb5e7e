#include "training/search_command.h"

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
#include "fairdarts/decision.h"
#include "genotypes/python_literal.h"
#include "ops/torch_status.h"
#include "training/checkpoint/run_lock.h"
#include "training/checkpoint/stop_signals.h"
#include "training/command.h"
#include "training/compute_setup.h"
#include "training/config.h"
#include "training/config_file.h"
#include "training/data/dataset.h"
#include "training/estimate/search_estimate.h"
#include "training/estimate/search_trial.h"
#include "training/flags.h"
#include "training/program_config.h"
#include "training/random_search_command.h"
#include "training/resume.h"
#include "training/run_folder.h"
#include "training/search_loop.h"
#include "training/shuffle_labels.h"

namespace fairdarts {
namespace {

absl::StatusOr<Dataset> LoadTrainingSplit(const SearchConfig& config) {
  const std::string& name = config.dataset();
  FD_ASSIGN_OR_RETURN(Dataset dataset,
                      LoadDataset(name, config.data(), Split::kTrain));
  if (config.shuffle_labels()) ShuffleLabels(config.seed(), dataset);
  return dataset;
}

void LogStart(const SearchConfig& config, const Dataset& dataset,
              const SearchLoop& loop, RunLog& log) {
  int64_t parameters = 0;
  for (const torch::Tensor& p : loop.supernet().parameters()) {
    parameters += p.numel();
  }
  log.Info(absl::StrFormat(
      "recipe %s on %s%s: %d images %dx%dx%d of %d classes, the first %d for "
      "the weights, the rest for %s",
      config.recipe(), dataset.name,
      config.shuffle_labels() ? " with shuffled labels" : "", dataset.size(),
      dataset.channels, dataset.height, dataset.width, dataset.classes,
      loop.sampler().weight_samples(),
      config.single_level() ? "the evaluation" : "the alphas"));
  log.Info(absl::StrFormat(
      "alphas: %s, gradient of %s%s%s",
      config.relaxation() == SearchConfig::SOFTMAX ? "softmax" : "sigmoid",
      config.single_level() ? "the training batch"
      : config.unrolled()   ? "second order"
                            : "first order",
      config.noise_darts()
          ? absl::StrFormat(", noise %s on skip connections over %d epochs",
                            config.noise_type() == SearchConfig::U ? "U" : "N",
                            config.max_step())
          : "",
      config.flops_weight() > 0 || config.size_weight() > 0
          ? ", with a cost in the loss"
          : ""));
  log.Info(absl::StrFormat(
      "network: %d cells from %d channels, %d parameters; %d epochs of %d "
      "steps, batch %d, %s; %d threads, %s engine",
      config.layers(), config.init_channels(), parameters, config.epochs(),
      loop.sampler().steps_per_epoch(), config.batch_size(),
      config.single_level() ? "single-level" : "bi-level",
      at::get_num_threads(), UsesFusedEngine(config) ? "fused" : "plain"));
  if (config.device() == SearchConfig::CUDA) {
    log.Info(absl::StrCat(
        "steps on the GPU: ",
        config.unrolled() || config.noise_darts()
            ? "each waited for, since second order and noise decide on the host"
        : config.cuda_graph() ? "recorded as a CUDA graph, but for an epoch's "
                                "smaller last one"
                              : "one operation after another"));
  }
  for (const std::string& warning : SearchWarnings(config)) log.Info(warning);
}

void LogResult(const SearchResult& result, const SearchConfig& config,
               const RunFolder& folder, RunLog& log) {
  const Decision& decision = result.decision;
  log.Info(absl::StrFormat("top-1 on the alpha half, unaugmented: %.2f %%",
                           100 * result.valid_top1));
  log.Info(absl::StrFormat(
      "decided: %d of %d chosen candidates and %d of all %d are at %.2f or "
      "above; %d lie between %.2f and %.2f",
      decision.chosen_past_threshold, decision.chosen, decision.past_threshold,
      decision.weights, config.op_threshold(), decision.undecided,
      kUndecidedAbove, kUndecidedBelow));
  if (!result.note.empty()) log.Info(result.note);
  log.Info(absl::StrCat("genotype: ", ToPythonText(result.genotype)));
  if (!decision.every_node_fed) {
    log.Info(
        "note: a node has no candidate past the threshold; search longer, or "
        "derive with a lower --op_threshold");
  }
  log.Info(absl::StrCat("files in ", folder.path(),
                        ": genotype.txt, genotype.textproto, normal.svg, "
                        "reduce.svg, history.svg, metrics.csv, log.txt and "
                        "more"));
  log.Info(absl::StrCat(
      "next: look at the .svg files, or derive by another rule: ./bazelw run "
      "//training:derive -- --run='",
      folder.path(), "' --parse_method=darts"));
}

// What a search works on, new or taken up again.
struct Assignment {
  SearchConfig config;
  absl::optional<ResumedRun> resumed;
};

absl::StatusOr<Assignment> FindAssignment(int argc, const char* const* argv,
                                          RunLog& log) {
  FD_ASSIGN_OR_RETURN(const std::string resume,
                      ResumeFlag<SearchConfig>(argc, argv));
  FindRunOptions options;
  options.kind = RunKind::kSearch;
  options.runs_folder = RunsFolder();
  options.finished_file = kSearchWeights;
  FD_ASSIGN_OR_RETURN(absl::optional<ResumedRun> run,
                      FindResumedRun(resume, options, log));
  if (!run.has_value()) {
    FD_ASSIGN_OR_RETURN(ResolvedSearch resolved,
                        SearchFromCommandLine(argc, argv));
    if (!resolved.note.empty()) log.Info(resolved.note);
    return Assignment{std::move(resolved.config), absl::nullopt};
  }
  FD_ASSIGN_OR_RETURN(const std::string record, run->snapshot.Text("config"));
  FD_ASSIGN_OR_RETURN(
      SearchConfig config,
      SearchFromRecord(record, run->folder.File(kConfigFile), argc, argv));
  return Assignment{std::move(config), std::move(run)};
}

// What the arguments ask for.
enum class Task { kSearch, kEstimate, kRandomSearch };

absl::StatusOr<Task> TaskOf(int argc, const char* const* argv) {
  SearchConfig flags;
  FD_RETURN_IF_ERROR(ParseFlags(argc, argv, flags));
  if (flags.random_search()) {
    FD_RETURN_IF_ERROR(CheckRandomSearchFlags(flags));
    return Task::kRandomSearch;
  }
  if (!flags.estimate()) return Task::kSearch;
  if (flags.has_resume()) {
    return UsageError(
        "--estimate: says what a whole new search takes; leave out --resume");
  }
  return Task::kEstimate;
}

absl::Status Estimate(int argc, const char* const* argv, RunLog& log) {
  FD_ASSIGN_OR_RETURN(const ResolvedSearch resolved,
                      SearchFromCommandLine(argc, argv));
  if (!resolved.note.empty()) log.Info(resolved.note);
  const SearchConfig& config = resolved.config;
  SetUpCompute(config.threads());
  FD_ASSIGN_OR_RETURN(const Dataset dataset, LoadTrainingSplit(config));
  FD_ASSIGN_OR_RETURN(const SearchEstimate estimate,
                      EstimateSearch(config, dataset));
  log.Info(absl::StrFormat(
      "estimate: recipe %s on %s, batch %d, %s, %s engine, %d threads; nothing "
      "is written",
      config.recipe(), dataset.name, config.batch_size(),
      config.single_level() ? "single-level" : "bi-level",
      UsesFusedEngine(config) ? "fused" : "plain", at::get_num_threads()));
  log.Info(EstimateText(estimate));
  if (config.eigenvalue() || config.early_stop() == SearchConfig::EIGENVALUE) {
    log.Info("note: the eigenvalue after each epoch comes on top of it");
  }
  return absl::OkStatus();
}

absl::Status PrintRandomGenotypes(int argc, const char* const* argv,
                                  RunLog& log) {
  FD_ASSIGN_OR_RETURN(const ResolvedSearch resolved,
                      SearchFromCommandLine(argc, argv));
  return RandomSearch(resolved.config, log);
}

absl::Status Search(int argc, const char* const* argv, RunLog& log) {
  StopSignals signals;
  FD_ASSIGN_OR_RETURN(const Assignment assignment,
                      FindAssignment(argc, argv, log));
  const SearchConfig& config = assignment.config;
  if (config.random_search()) {
    return UsageError("random_search: give it as a flag, not in a file");
  }
  SetUpCompute(config.threads());
  FD_ASSIGN_OR_RETURN(const Dataset dataset, LoadTrainingSplit(config));
  FD_ASSIGN_OR_RETURN(const std::unique_ptr<SearchLoop> loop,
                      SearchLoop::Create(config, &dataset));
  absl::optional<RunFolder> folder;
  absl::optional<RunLock> lock;
  if (assignment.resumed.has_value()) {
    folder = assignment.resumed->folder;
    FD_RETURN_IF_ERROR(loop->Resume(assignment.resumed->snapshot));
    FD_RETURN_IF_ERROR(ResumeLog(*assignment.resumed, log));
  } else {
    FD_ASSIGN_OR_RETURN(
        folder, RunFolder::Create(RunsFolder(), config.save(), absl::Now()));
    FD_ASSIGN_OR_RETURN(lock, RunLock::Acquire(folder->path()));
    FD_RETURN_IF_ERROR(log.OpenFile(folder->File("log.txt")));
    FD_RETURN_IF_ERROR(folder->Write(kConfigFile, SearchConfigText(config)));
  }
  LogStart(config, dataset, *loop, log);
  FD_ASSIGN_OR_RETURN(const SearchResult result,
                      loop->Run(*folder, signals, log));
  LogResult(result, config, *folder, log);
  return absl::OkStatus();
}

absl::Status Run(int argc, const char* const* argv, RunLog& log) {
  FD_ASSIGN_OR_RETURN(const Task task, TaskOf(argc, argv));
  switch (task) {
    case Task::kSearch:
      return Search(argc, argv, log);
    case Task::kEstimate:
      return Estimate(argc, argv, log);
    case Task::kRandomSearch:
      return PrintRandomGenotypes(argc, argv, log);
  }
  return absl::OkStatus();
}

}  // namespace

int SearchCommand(int argc, const char* const* argv, RunLog& log) {
  if (HelpRequested(argc, argv)) {
    log.Info(SearchHelp());
    return static_cast<int>(ExitCode::kDone);
  }
  // What LibTorch throws outside of a step, such as an error of a GPU that
  // comes late, ends as others do.
  return EndProgram(CatchTorch([&] { return Run(argc, argv, log); }), "search",
                    log);
}

}  // namespace fairdarts
