#include "training/studies/study_loop.h"

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/optional.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "fairdarts/runtime/model_file.h"
#include "genotypes/cell_graph.h"
#include "genotypes/cost.h"
#include "genotypes/python_literal.h"
#include "ops/torch_status.h"
#include "training/cell_files.h"
#include "training/checkpoint/checkpoint_folder.h"
#include "training/checkpoint/checkpoint_list.h"
#include "training/checkpoint/run_lock.h"
#include "training/classification.h"
#include "training/config.h"
#include "training/config_file.h"
#include "training/data/batch.h"
#include "training/data/sampler.h"
#include "training/last_batch.h"
#include "training/memory_format.h"
#include "training/network_weights.h"
#include "training/search_loop.h"
#include "training/search_options.h"
#include "training/studies/alphas_plot.h"
#include "training/studies/random_genotype.h"
#include "training/studies/study_folder.h"
#include "training/studies/study_tables.h"
#include "training/train_config.h"
#include "training/train_loop.h"
#include "training/train_options.h"

namespace fairdarts {
namespace {

constexpr int64_t kEvaluationBatch = 256;

bool Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

absl::StatusOr<RunFolder> MakeFolder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) {
    return EnvironmentError(
        absl::StrCat(path, ": the folder cannot be made: ", error.message()));
  }
  return RunFolder::Open(path);
}

absl::StatusOr<SearchConfig> FromRecord(const std::string& record,
                                        const std::string& path,
                                        const SearchConfig& given) {
  return SearchFromRecord(record, path, given);
}

absl::StatusOr<TrainConfig> FromRecord(const std::string& record,
                                       const std::string& path,
                                       const TrainConfig& given) {
  return TrainFromRecord(record, path, given);
}

// What a folder was begun with must be what the study says now.
template <typename Config>
absl::Status CheckRecord(const RunFolder& folder, const Config& config) {
  const std::string path = folder.File(kConfigFile);
  if (!Exists(path)) return absl::OkStatus();
  FD_ASSIGN_OR_RETURN(const std::string record,
                      ReadFile(path, kMaxConfigBytes));
  return FromRecord(record, path, config).status();
}

// Whether the images suffice for each search and the training.
absl::Status CheckSampling(const StudyPlan& plan, const StudyMachine& machine,
                           const Dataset& images) {
  for (const StudyPlan::Variant& variant : plan.variants) {
    if (!variant.search.has_value()) continue;
    const SearchConfig config =
        plan.SearchOf({&variant, plan.seeds.front()}, machine);
    const absl::StatusOr<SearchSampler> sampler =
        SearchSampler::Create(SamplingOptions(config, images));
    FD_RETURN_IF_ERROR(
        Annotate(sampler.ok() ? CheckLastBatch(sampler->weights(), images)
                              : sampler.status(),
                 absl::StrCat("variant ", variant.name, ": search")));
  }
  FD_RETURN_IF_ERROR(
      Annotate(CreateSampler(plan.train, images).status(), "train"));
  if (TrainSamples(plan.train, images) == images.size()) {
    return UsageError(absl::StrCat(
        "train: valid_portion ", plan.train.valid_portion(),
        ": holds out none of the ", images.size(),
        " images; networks are ranked by those that it holds out"));
  }
  return absl::OkStatus();
}

class StudyRunner {
 public:
  StudyRunner(const StudyPlan& plan, const StudyMachine& machine,
              const StudyData& data, const RunFolder& folder,
              NetworkConfig network, StopSignals& signals, RunLog& log)
      : plan_(plan),
        machine_(machine),
        data_(data),
        folder_(folder),
        network_(network),
        signals_(signals),
        log_(log) {}

  absl::StatusOr<std::vector<RunRow>> Run();

 private:
  absl::Status RunOne(const StudyPlan::Run& run, RunRow& row);
  // Sets the row's genotype, or a state that says why there is none.
  absl::Status Search(const StudyPlan::Run& run, RunRow& row);
  absl::Status Draw(const StudyPlan::Run& run, RunRow& row);
  absl::Status Train(const StudyPlan::Run& run, RunRow& row);

  // Runs a loop in its folder from where that stands to its end; false where
  // its loss was not finite. `begin` writes what stands there from the start.
  template <typename Loop>
  absl::StatusOr<bool> RunLoop(const RunFolder& folder, RunKind kind,
                               Loop& loop,
                               const std::function<absl::Status()>& begin);

  absl::Status WriteTables() const;
  absl::Status WritePicture() const;
  absl::Status Test();
  absl::StatusOr<TestOutcome> Evaluate(const RunRow& row, const Dataset& test);

  const StudyPlan& plan_;
  const StudyMachine& machine_;
  const StudyData& data_;
  const RunFolder& folder_;
  const NetworkConfig network_;
  StopSignals& signals_;
  RunLog& log_;
  std::vector<RunRow> rows_;
};

template <typename Loop>
absl::StatusOr<bool> StudyRunner::RunLoop(
    const RunFolder& folder, RunKind kind, Loop& loop,
    const std::function<absl::Status()>& begin) {
  FD_ASSIGN_OR_RETURN(const RunLock lock, RunLock::Acquire(folder.path()));
  RunLog log = log_.WithoutFile();
  FD_RETURN_IF_ERROR(log.OpenFile(folder.File("log.txt")));
  if (ListCheckpoints(folder.path()).empty()) {
    FD_RETURN_IF_ERROR(begin());
  } else {
    FD_ASSIGN_OR_RETURN(const FoundCheckpoint found,
                        CheckpointFolder(folder.path(), kind).Latest(log));
    FD_RETURN_IF_ERROR(loop.Resume(found.snapshot));
    log.Info(absl::StrCat("resumed from ", found.path));
  }
  const absl::Status ended = loop.Run(folder, signals_, log).status();
  if (ExitCodeOf(ended) != ExitCode::kNumbers) {
    FD_RETURN_IF_ERROR(ended);
    return true;
  }
  log.Error(ended.message());
  FD_RETURN_IF_ERROR(
      folder.Write(kDivergedFile, absl::StrCat(ended.message(), "\n")));
  return false;
}

absl::Status StudyRunner::Search(const StudyPlan::Run& run, RunRow& row) {
  const SearchConfig config = plan_.SearchOf(run, machine_);
  FD_ASSIGN_OR_RETURN(
      const RunFolder folder,
      MakeFolder(folder_.File(SearchFolder(row.variant, row.seed))));
  FD_RETURN_IF_ERROR(CheckRecord(folder, config));
  bool finite = !Exists(folder.File(kDivergedFile));
  if (finite && !Exists(folder.File(kSearchWeights))) {
    FD_ASSIGN_OR_RETURN(const std::unique_ptr<SearchLoop> loop,
                        SearchLoop::Create(config, data_.train));
    FD_ASSIGN_OR_RETURN(finite, RunLoop(folder, RunKind::kSearch, *loop, [&] {
                          return folder.Write(kConfigFile,
                                              SearchConfigText(config));
                        }));
  }
  if (!finite) {
    row.state = RunState::kDiverged;
    return absl::OkStatus();
  }
  FD_ASSIGN_OR_RETURN(
      row.search,
      ReadSearchOutcome(folder, static_cast<float>(config.op_threshold())));
  row.genotype = row.search->genotype;
  return absl::OkStatus();
}

absl::Status StudyRunner::Draw(const StudyPlan::Run& run, RunRow& row) {
  const StudyRandom& random = *run.variant->random;
  if (!random.has_like()) {
    FD_ASSIGN_OR_RETURN(row.genotype,
                        RandomGenotypeOf(run.seed, random.num_identity(),
                                         random.flops_threshold()));
    return absl::OkStatus();
  }
  for (const RunRow& model : rows_) {
    if (model.variant != random.like() || model.seed != run.seed ||
        !model.cost.has_value()) {
      continue;
    }
    FD_ASSIGN_OR_RETURN(row.genotype,
                        RandomGenotypeLike(run.seed, model.cost->macs,
                                           random.percent(), network_));
  }
  if (!row.genotype.has_value()) row.state = RunState::kNoMatch;
  return absl::OkStatus();
}

absl::Status StudyRunner::Train(const StudyPlan::Run& run, RunRow& row) {
  if (!CheckBuildable(*row.genotype).ok()) {
    row.state = RunState::kNoNetwork;
    return absl::OkStatus();
  }
  FD_ASSIGN_OR_RETURN(const NetworkCost cost,
                      ComputeNetworkCost(*row.genotype, network_));
  row.cost = cost.total;
  TrainConfig config = plan_.TrainOf(run, machine_);
  config.set_genotype(ToPythonText(*row.genotype));
  FD_ASSIGN_OR_RETURN(
      const RunFolder folder,
      MakeFolder(folder_.File(TrainFolder(row.variant, row.seed))));
  FD_RETURN_IF_ERROR(CheckRecord(folder, config));
  bool finite = !Exists(folder.File(kDivergedFile));
  if (finite && !Exists(folder.File(kTrainResult))) {
    FD_ASSIGN_OR_RETURN(const std::unique_ptr<TrainLoop> loop,
                        TrainLoop::Create(config, *row.genotype, data_.train));
    FD_ASSIGN_OR_RETURN(
        finite, RunLoop(folder, RunKind::kTrain, *loop, [&]() -> absl::Status {
          FD_RETURN_IF_ERROR(
              folder.Write(kConfigFile, TrainConfigText(config)));
          return WriteGenotypeFiles(*row.genotype, folder);
        }));
  }
  if (!finite) {
    row.state = RunState::kDiverged;
    return absl::OkStatus();
  }
  FD_ASSIGN_OR_RETURN(row.training, ReadTrainOutcome(folder));
  FD_ASSIGN_OR_RETURN(row.test, ReadTestOutcome(folder));
  row.state = RunState::kTrained;
  return absl::OkStatus();
}

absl::Status StudyRunner::RunOne(const StudyPlan::Run& run, RunRow& row) {
  row.variant = run.variant->name;
  row.seed = run.seed;
  FD_RETURN_IF_ERROR(run.variant->search.has_value() ? Search(run, row)
                                                     : Draw(run, row));
  return row.genotype.has_value() ? Train(run, row) : absl::OkStatus();
}

absl::Status StudyRunner::WriteTables() const {
  FD_RETURN_IF_ERROR(folder_.Write("runs.csv", RunsCsv(rows_)));
  FD_RETURN_IF_ERROR(folder_.Write("timing.csv", StudyTimingCsv(rows_)));
  FD_RETURN_IF_ERROR(folder_.Write("table.csv", VariantsCsv(plan_, rows_)));
  return folder_.Write("table.md", VariantsMarkdown(plan_, rows_));
}

absl::Status StudyRunner::WritePicture() const {
  std::vector<AlphasPanel> panels;
  // In the order of the variants, as they were run.
  for (const RunRow& row : rows_) {
    if (row.seed != plan_.seeds.front() || !row.search.has_value()) continue;
    FD_ASSIGN_OR_RETURN(
        const RunFolder folder,
        RunFolder::Open(folder_.File(SearchFolder(row.variant, row.seed))));
    AlphasPanel panel;
    panel.title = row.variant;
    FD_ASSIGN_OR_RETURN(panel.epochs,
                        ReadRelaxedWeights(folder, row.search->returned_to));
    panels.push_back(std::move(panel));
  }
  if (panels.empty()) return absl::OkStatus();
  return folder_.Write(
      "alphas.svg",
      AlphasSvg(absl::StrCat(plan_.name, ", seed ", plan_.seeds.front(),
                             ": relaxed weights of all candidates"),
                panels));
}

absl::StatusOr<TestOutcome> StudyRunner::Evaluate(const RunRow& row,
                                                  const Dataset& test) {
  const std::string path = folder_.File(
      absl::StrCat(TrainFolder(row.variant, row.seed), "/", kBestWeights));
  FD_ASSIGN_OR_RETURN(const ModelFile model, ModelFile::Load(path));
  FD_ASSIGN_OR_RETURN(const std::shared_ptr<DerivedNetwork> network,
                      LoadNetwork(model));
  BatchOptions options;
  options.channels_last = UsesChannelsLast(
      plan_.train.memory_format(), model.description().network.init_channels);
  FD_ASSIGN_OR_RETURN(const BatchMaker batches,
                      BatchMaker::Create(&test, options));
  FD_RETURN_IF_ERROR(CatchTorch("network", [&] {
    network->eval();
    if (options.channels_last) ToChannelsLast(*network);
  }));
  FD_ASSIGN_OR_RETURN(
      const Classification counts,
      Classify(
          [&](const torch::Tensor& images) { return network->Logits(images); },
          test.classes, batches, 0, test.size(), kEvaluationBatch));
  return TestOutcome{counts.images, counts.top1_correct};
}

absl::Status StudyRunner::Test() {
  absl::optional<Dataset> test;
  std::map<std::pair<std::string, uint64_t>, RunRow*> rows;
  for (RunRow& row : rows_) rows[{row.variant, row.seed}] = &row;
  for (const RunRow* const chosen : Chosen(rows_, plan_.tested)) {
    RunRow& row = *rows[{chosen->variant, chosen->seed}];
    const std::string name =
        absl::StrCat(row.variant, ", seed ", row.seed, ": test images");
    if (signals_.stopping()) {
      return signals_.StoppedStatus(absl::StrCat("before ", name));
    }
    if (row.test.has_value()) continue;
    if (!test.has_value()) {
      FD_ASSIGN_OR_RETURN(test, data_.load_test());
      // As in training, whatever the loader says.
      test->mean = data_.train->mean;
      test->standard_deviation = data_.train->standard_deviation;
    }
    const absl::StatusOr<TestOutcome> outcome = Evaluate(row, *test);
    if (!outcome.ok()) return Annotate(outcome.status(), name);
    FD_ASSIGN_OR_RETURN(
        const RunFolder folder,
        RunFolder::Open(folder_.File(TrainFolder(row.variant, row.seed))));
    FD_RETURN_IF_ERROR(WriteTestOutcome(*outcome, folder));
    row.test = *outcome;
    log_.Info(absl::StrFormat("%s: top-1 %.2f %%, held-out %.2f %%", name,
                              100 * outcome->top1(),
                              100 * row.training->valid_top1));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<RunRow>> StudyRunner::Run() {
  const std::vector<StudyPlan::Run> runs = plan_.Runs();
  for (size_t i = 0; i < runs.size(); ++i) {
    const std::string name =
        absl::StrCat(runs[i].variant->name, ", seed ", runs[i].seed);
    if (signals_.stopping()) {
      return signals_.StoppedStatus(absl::StrCat("before ", name));
    }
    log_.Info(absl::StrFormat("run %d of %d: %s", i + 1, runs.size(), name));
    RunRow row;
    FD_RETURN_IF_ERROR(Annotate(RunOne(runs[i], row), name));
    if (row.genotype.has_value()) {
      log_.Info(absl::StrCat("genotype: ", ToPythonText(*row.genotype)));
    }
    log_.Info(absl::StrCat(name, ": ",
                           row.state == RunState::kTrained
                               ? absl::StrFormat("held-out top-1 %.2f %%",
                                                 100 * row.training->valid_top1)
                               : std::string(RunStateName(row.state))));
    rows_.push_back(std::move(row));
    FD_RETURN_IF_ERROR(WriteTables());
  }
  FD_RETURN_IF_ERROR(WritePicture());
  FD_RETURN_IF_ERROR(Test());
  FD_RETURN_IF_ERROR(folder_.Write("ranked.csv", RankedCsv(rows_)));
  FD_RETURN_IF_ERROR(
      folder_.Write(kStudyRanking, RankedMarkdown(plan_, rows_)));
  return std::move(rows_);
}

}  // namespace

absl::StatusOr<std::vector<RunRow>> RunStudy(
    const StudyPlan& plan, const StudyMachine& machine, const StudyData& data,
    const RunFolder& folder, StopSignals& signals, RunLog& log) {
  FD_CHECK(data.train->name == plan.dataset);
  FD_ASSIGN_OR_RETURN(const NetworkConfig network,
                      NetworkOptions(plan.train, *data.train));
  // What cannot be trained on or drawn is said before hours of searches, not
  // behind them.
  FD_RETURN_IF_ERROR(CheckSampling(plan, machine, *data.train));
  for (const StudyPlan::Run& run : plan.Runs()) {
    if (!run.variant->random.has_value() || run.variant->random->has_like()) {
      continue;
    }
    FD_RETURN_IF_ERROR(
        Annotate(RandomGenotypeOf(run.seed, run.variant->random->num_identity(),
                                  run.variant->random->flops_threshold())
                     .status(),
                 absl::StrCat("variant ", run.variant->name)));
  }
  return StudyRunner(plan, machine, data, folder, network, signals, log).Run();
}

}  // namespace fairdarts
