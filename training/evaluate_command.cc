#include "training/evaluate_command.h"

#include <torch/types.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "fairdarts/base/status.h"
#include "fairdarts/base/user_path.h"
#include "fairdarts/runtime/model_file.h"
#include "ops/autocast.h"
#include "ops/device.h"
#include "ops/torch_status.h"
#include "training/classification.h"
#include "training/command.h"
#include "training/compute_setup.h"
#include "training/data/batch.h"
#include "training/data/dataset.h"
#include "training/data/npy.h"
#include "training/evaluate.pb.h"
#include "training/evaluation_report.h"
#include "training/field_value.h"
#include "training/flags.h"
#include "training/memory_format.h"
#include "training/model_source.h"
#include "training/network_weights.h"
#include "training/output_path.h"
#include "training/train_options.h"
#include "training/train_record.h"

namespace fairdarts {
namespace {

constexpr char kUsage[] =
    "Evaluates a trained network on images that it was not trained on.\n"
    "usage: evaluate [--run=FOLDER] [flags]\n"
    "       evaluate --model_path=FILE [--genotype=WHICH] [flags]\n";

// Only a run knows what it held out.
absl::Status CheckSplit(const EvaluateConfig& config,
                        const absl::optional<TrainConfig>& record,
                        absl::string_view dataset) {
  if (config.split() != EvaluateConfig::VALID) return absl::OkStatus();
  if (!record.has_value()) {
    return UsageError(
        "split valid: only a run knows what it held out; give --run, or "
        "--split=test");
  }
  if (record->dataset() != dataset) {
    return UsageError(absl::StrCat("split valid: the run held out images of ",
                                   record->dataset(), ", not of ", dataset));
  }
  return absl::OkStatus();
}

// `record` is that of the run that the weights lie in, where they do.
absl::StatusOr<Dataset> LoadImages(const EvaluateConfig& config,
                                   const absl::optional<TrainConfig>& record) {
  std::string name = record.has_value() ? record->dataset() : "cifar10";
  if (!config.dataset().empty()) {
    FD_ASSIGN_OR_RETURN(name, CanonicalDatasetName(config.dataset()));
  } else if (!config.run().empty() && !record.has_value()) {
    return UsageError(absl::StrCat(
        "--run ", config.run(), ": its config.textproto, which would name the ",
        "dataset, is not there or no training's; give --dataset"));
  }
  FD_RETURN_IF_ERROR(CheckSplit(config, record, name));
  std::string folder = config.data().empty() ? "" : UserPath(config.data());
  if (folder.empty() && record.has_value() && record->dataset() == name) {
    folder = record->data();
  }
  return LoadDataset(
      name, folder,
      config.split() == EvaluateConfig::TEST ? Split::kTest : Split::kTrain);
}

// Images that the network was not made for would only look like a bad result.
absl::Status CheckFits(const ModelFile& model, const Dataset& dataset) {
  const NetworkConfig& network = model.description().network;
  if (dataset.channels != network.image_channels ||
      dataset.height != network.image_size ||
      dataset.width != network.image_size) {
    return UsageError(
        absl::StrCat("dataset ", dataset.name, ": its images are ",
                     dataset.channels, "x", dataset.height, "x", dataset.width,
                     "; the network takes ", network.image_channels, "x",
                     network.image_size, "x", network.image_size));
  }
  if (dataset.classes != network.classes) {
    return UsageError(absl::StrCat(
        "dataset ", dataset.name, ": it has ", dataset.classes,
        " classes; the network tells ", network.classes, " apart"));
  }
  return absl::OkStatus();
}

struct Range {
  int64_t begin;
  int64_t end;
};

// The end of a run's training set was held out, the rest was trained on.
absl::StatusOr<Range> RangeOf(const EvaluateConfig& config,
                              const absl::optional<TrainConfig>& record,
                              const Dataset& dataset) {
  const Range all = {0, dataset.size()};
  if (config.split() == EvaluateConfig::TEST || !record.has_value() ||
      record->dataset() != dataset.name) {
    return all;
  }
  const int64_t trained_on = TrainSamples(*record, dataset);
  if (config.split() == EvaluateConfig::TRAIN) return Range{0, trained_on};
  if (trained_on == dataset.size()) {
    return UsageError("split valid: the run held nothing out");
  }
  return Range{trained_on, dataset.size()};
}

absl::StatusOr<EvaluationReport> Measure(const EvaluateConfig& config,
                                         const ModelFile& model,
                                         const Dataset& dataset, Range range,
                                         const std::string& logits_path,
                                         RunLog& notes) {
  FD_ASSIGN_OR_RETURN(const torch::Device device,
                      FindDevice(config.device() == EvaluateConfig::CUDA));
  FD_ASSIGN_OR_RETURN(const std::shared_ptr<DerivedNetwork> network,
                      LoadNetwork(model));
  // Normalised as in its training, whatever images these are.
  Dataset images = dataset;
  images.mean = model.description().normalization.mean;
  images.standard_deviation = model.description().normalization.std;
  BatchOptions batch_options;
  batch_options.channels_last = UsesChannelsLast(
      config.memory_format(), model.description().network.init_channels);
  FD_ASSIGN_OR_RETURN(const BatchMaker batches,
                      BatchMaker::Create(&images, batch_options));
  FD_RETURN_IF_ERROR(CatchTorch("network", [&] {
    network->eval();
    network->to(device);
    if (batch_options.channels_last) ToChannelsLast(*network);
  }));
  NpyMatrix logits;
  logits.columns = dataset.classes;
  const bool bfloat16 = config.precision() == Machine::BF16;
  int64_t done = 0;
  int64_t steps = 0;
  const absl::Time start = absl::Now();
  FD_ASSIGN_OR_RETURN(
      Classification counts,
      Classify(
          [&](const torch::Tensor& batch) {
            const Autocast autocast(bfloat16, device.type());
            return network->Logits(batch.to(device));
          },
          dataset.classes, batches, range.begin, range.end, config.batch_size(),
          [&](const torch::Tensor& batch) {
            done += batch.size(0);
            if (++steps % config.report_freq() == 0) {
              notes.Info(absl::StrCat(done, " of ", range.end - range.begin,
                                      " images"));
            }
            if (logits_path.empty()) return absl::OkStatus();
            const torch::Tensor rows =
                batch.to(torch::kCPU, torch::kFloat).contiguous();
            const float* const values = rows.const_data_ptr<float>();
            logits.values.insert(logits.values.end(), values,
                                 values + rows.numel());
            return absl::OkStatus();
          }));
  EvaluationReport report(std::move(counts));
  report.seconds = absl::ToDoubleSeconds(absl::Now() - start);
  if (!logits_path.empty()) {
    logits.rows = range.end - range.begin;
    FD_RETURN_IF_ERROR(WriteNpy(logits_path, logits));
  }
  return report;
}

absl::Status Evaluate(int argc, const char* const* argv, RunLog& log) {
  EvaluateConfig config;
  FD_RETURN_IF_ERROR(ParseFlags(argc, argv, config));
  FD_RETURN_IF_ERROR(CheckFields(config));
  const bool json = config.format() == EvaluateConfig::JSON;
  // Then standard output holds the object and nothing else.
  RunLog beside(std::cerr, std::cerr, /*terminal=*/false, /*columns=*/80);
  RunLog& notes = json ? beside : log;

  std::string logits_path;
  if (!config.logits().empty()) {
    FD_ASSIGN_OR_RETURN(logits_path, OutputPath("logits", config.logits()));
  }

  ModelSourceOptions options;
  options.run = config.run();
  options.model_path = config.model_path();
  options.last = config.weights() == EvaluateConfig::LAST;
  options.runs_folder = RunsFolder();
  options.genotype = config.genotype();
  options.parse_method = config.parse_method();
  options.init_channels = config.init_channels();
  options.layers = config.layers();
  options.auxiliary = config.auxiliary();
  absl::optional<Dataset> dataset;
  // A file of torch.save takes size and normalisation from the images.
  options.images = [&]() -> absl::StatusOr<ImageForm> {
    FD_ASSIGN_OR_RETURN(dataset, LoadImages(config, absl::nullopt));
    return ImageForm{dataset->height,
                     {dataset->mean, dataset->standard_deviation}};
  };
  SetUpCompute(config.threads());
  FD_ASSIGN_OR_RETURN(const ModelSource source,
                      FindModelSource(options, notes));
  absl::optional<TrainConfig> record;
  if (!dataset.has_value()) {
    FD_ASSIGN_OR_RETURN(
        record,
        FindTrainRecord(
            std::filesystem::absolute(source.path).parent_path().string()));
    FD_ASSIGN_OR_RETURN(dataset, LoadImages(config, record));
  }
  FD_RETURN_IF_ERROR(Annotate(CheckFits(source.model, *dataset), source.path));
  FD_ASSIGN_OR_RETURN(const Range range, RangeOf(config, record, *dataset));
  FD_ASSIGN_OR_RETURN(
      EvaluationReport report,
      Measure(config, source.model, *dataset, range, logits_path, notes));
  report.model = source.path;
  report.dataset = dataset->name;
  report.split = config.split() == EvaluateConfig::TEST    ? "test"
                 : config.split() == EvaluateConfig::VALID ? "held-out"
                                                           : "training";
  const std::vector<std::string>& names =
      source.model.description().class_names;
  report.class_names = names.empty() ? dataset->class_names : names;
  report.per_class = config.per_class();
  report.confusion = config.confusion();
  log.Info(json ? EvaluationJson(report) : EvaluationText(report));
  return absl::OkStatus();
}

}  // namespace

int EvaluateCommand(int argc, const char* const* argv, RunLog& log) {
  if (HelpRequested(argc, argv)) {
    log.Info(absl::StrCat(kUsage, "\n", FlagsHelp(EvaluateConfig())));
    return static_cast<int>(ExitCode::kDone);
  }
  // What LibTorch throws outside of a step, such as an error of a GPU that
  // comes late, ends as others do.
  return EndProgram(CatchTorch([&] { return Evaluate(argc, argv, log); }),
                    "evaluate", log);
}

}  // namespace fairdarts
