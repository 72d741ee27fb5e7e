#include "training/search_command.h"

#include <ATen/Parallel.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "fairdarts/base/status.h"
#include "fairdarts/decision.h"
#include "genotypes/python_literal.h"
#include "training/command.h"
#include "training/compute_setup.h"
#include "training/config.h"
#include "training/data/dataset.h"
#include "training/flags.h"
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
      "network: %d cells from %d channels, %d parameters; %d epochs of %d "
      "steps, batch %d, %s; %d threads",
      config.layers(), config.init_channels(), parameters, config.epochs(),
      loop.sampler().steps_per_epoch(), config.batch_size(),
      config.single_level() ? "single-level" : "bi-level",
      at::get_num_threads()));
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

absl::Status Search(int argc, const char* const* argv, RunLog& log) {
  FD_ASSIGN_OR_RETURN(const ResolvedSearch resolved,
                      SearchFromCommandLine(argc, argv));
  const SearchConfig& config = resolved.config;
  if (!resolved.note.empty()) log.Info(resolved.note);
  SetUpCompute(config.threads());
  FD_ASSIGN_OR_RETURN(const Dataset dataset, LoadTrainingSplit(config));
  FD_ASSIGN_OR_RETURN(const std::unique_ptr<SearchLoop> loop,
                      SearchLoop::Create(config, &dataset));
  FD_ASSIGN_OR_RETURN(
      const RunFolder folder,
      RunFolder::Create(RunsFolder(), config.save(), absl::Now()));
  FD_RETURN_IF_ERROR(log.OpenFile(folder.File("log.txt")));
  FD_RETURN_IF_ERROR(
      folder.Write("config.textproto", SearchConfigText(config)));
  LogStart(config, dataset, *loop, log);
  FD_ASSIGN_OR_RETURN(const SearchResult result, loop->Run(folder, log));
  LogResult(result, config, folder, log);
  return absl::OkStatus();
}

}  // namespace

int SearchCommand(int argc, const char* const* argv, RunLog& log) {
  if (HelpRequested(argc, argv)) {
    log.Info(SearchHelp());
    return static_cast<int>(ExitCode::kDone);
  }
  return EndProgram(Search(argc, argv, log), "search", log);
}

}  // namespace fairdarts
