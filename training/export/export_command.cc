#include "training/export/export_command.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "fairdarts/runtime/model_file.h"
#include "training/checkpoint/run_kind.h"
#include "training/command.h"
#include "training/data/dataset.h"
#include "training/export/export_model.pb.h"
#include "training/export/model_tensors.h"
#include "training/export/onnx_model.h"
#include "training/field_value.h"
#include "training/flags.h"
#include "training/genotype_argument.h"
#include "training/newest_run.h"
#include "training/torch_import/state_dict_names.h"
#include "training/torch_import/torch_file.h"
#include "training/train_files.h"
#include "training/user_path.h"

namespace fairdarts {
namespace {

constexpr char kUsage[] =
    "Writes a trained network for inference.\n"
    "usage: export_model [--run=FOLDER] [flags]\n"
    "       export_model --model_path=FILE [--genotype=WHICH] [flags]\n";

// As torchvision normalises ImageNet, and the published training with it.
const std::vector<double>& ImageNetMean() {
  static const auto* const kMean = new std::vector<double>{.485, .456, .406};
  return *kMean;
}
const std::vector<double>& ImageNetStd() {
  static const auto* const kStd = new std::vector<double>{.229, .224, .225};
  return *kStd;
}

absl::StatusOr<std::vector<double>> NumbersOf(const std::string& text,
                                              absl::string_view flag) {
  std::vector<double> numbers;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    double number;
    if (!absl::SimpleAtod(part, &number) || !std::isfinite(number)) {
      return UsageError(absl::StrCat("--", flag, ": \"", text,
                                     "\" is no list of numbers such as "
                                     "0.5,0.5,0.5"));
    }
    numbers.push_back(number);
  }
  return numbers;
}

// What a file of torch.save needs beside itself.
absl::StatusOr<Normalization> NormalizationOf(const ExportConfig& config,
                                              int classes) {
  Normalization normalization;
  if (config.mean().empty() != config.std().empty()) {
    return UsageError("--mean and --std belong together: give both or none");
  }
  if (!config.mean().empty()) {
    FD_ASSIGN_OR_RETURN(normalization.mean, NumbersOf(config.mean(), "mean"));
    FD_ASSIGN_OR_RETURN(normalization.std, NumbersOf(config.std(), "std"));
    return normalization;
  }
  if (config.network() == ExportConfig::IMAGENET) {
    return Normalization{ImageNetMean(), ImageNetStd()};
  }
  if (classes != 10 && classes != 100) {
    return UsageError(absl::StrCat(
        "a file with ", classes,
        " classes: give --mean and --std; only those of CIFAR-10, CIFAR-100 "
        "and ImageNet are known"));
  }
  FD_ASSIGN_OR_RETURN(
      PublishedNormalization published,
      FindPublishedNormalization(classes == 10 ? "cifar10" : "cifar100"));
  return Normalization{std::move(published.mean),
                       std::move(published.standard_deviation)};
}

// The sizes that a state dict says itself.
absl::Status TakeSizes(const std::vector<NamedTensor>& state_dict,
                       absl::string_view stem, NetworkConfig& network) {
  const NamedTensor* first = nullptr;
  const NamedTensor* last = nullptr;
  for (const NamedTensor& tensor : state_dict) {
    if (tensor.name == stem) first = &tensor;
    if (tensor.name == "classifier.bias") last = &tensor;
  }
  if (first == nullptr || first->view.shape.size() != 4 || last == nullptr ||
      last->view.shape.size() != 1) {
    return ModelFileError(absl::StrCat(
        "holds no network of this kind: ", stem,
        " of four dimensions and classifier.bias of one are missing"));
  }
  // Numbers that no network has are refused with the rest of the config.
  constexpr int64_t kLargest = 1 << 30;
  network.image_channels =
      static_cast<int>(std::min(first->view.shape[1], kLargest));
  network.classes = static_cast<int>(std::min(last->view.shape[0], kLargest));
  return absl::OkStatus();
}

absl::StatusOr<std::string> ModelOfCheckpoint(const ExportConfig& config,
                                              const std::string& path,
                                              RunLog& log) {
  if (config.genotype().empty()) {
    return UsageError(absl::StrCat(
        path, " does not say its genotype: name it with --genotype"));
  }
  GenotypeArgumentOptions options;
  options.parse_method = config.parse_method();
  options.runs_folder = RunsFolder();
  FD_ASSIGN_OR_RETURN(const GenotypeArgument genotype,
                      ResolveGenotypeArgument(config.genotype(), options));
  if (!genotype.note.empty()) log.Info(genotype.note);
  FD_ASSIGN_OR_RETURN(TorchCheckpoint checkpoint, ReadTorchCheckpoint(path));
  ImportReport report;
  FD_RETURN_IF_ERROR(
      Annotate(NormalizeStateDict({}, &checkpoint.state_dict, &report), path));

  const bool imagenet = config.network() == ExportConfig::IMAGENET;
  ModelDescription description;
  description.genotype = genotype.genotype;
  NetworkConfig& network = description.network;
  network = imagenet ? NetworkConfig::ImageNet() : NetworkConfig::Cifar();
  if (config.init_channels() > 0) {
    network.init_channels = config.init_channels();
  }
  if (config.layers() > 0) network.layers = config.layers();
  if (config.image_size() > 0) network.image_size = config.image_size();
  FD_RETURN_IF_ERROR(Annotate(
      TakeSizes(checkpoint.state_dict,
                imagenet ? "stem0.0.weight" : "stem.0.weight", network),
      path));
  FD_ASSIGN_OR_RETURN(description.normalization,
                      NormalizationOf(config, network.classes));
  const absl::StatusOr<std::vector<TensorToWrite>> tensors =
      ModelTensors(description, &checkpoint.state_dict, &report);
  if (!tensors.ok()) return Annotate(tensors.status(), path);
  if (!report.Summary().empty()) {
    log.Info(absl::StrCat(path, ": ", report.Summary()));
  }
  absl::StatusOr<std::string> bytes = SerializeModelFile(description, *tensors);
  if (!bytes.ok()) return Annotate(bytes.status(), path);
  return bytes;
}

struct Source {
  std::string weights;  // the file
  std::string folder;   // where an output without a name goes; with its slash
};

absl::StatusOr<Source> FindSource(const ExportConfig& config, RunLog& log) {
  if (!config.model_path().empty()) {
    if (!config.run().empty()) {
      return UsageError("--run and --model_path both name weights: give one");
    }
    return Source{UserPath(config.model_path()), UserPath("")};
  }
  std::string run = UserPath(config.run());
  if (config.run().empty()) {
    const absl::optional<std::string> newest =
        NewestRun(RunsFolder(), RunKind::kTrain, {kLastWeights, kBestWeights});
    if (!newest.has_value()) {
      return UsageError(absl::StrCat(
          "no training has left weights in ", RunsFolder(),
          " yet: name a run with --run, or a file with --model_path"));
    }
    run = *newest;
    log.Info(absl::StrCat("the newest training run: ", run));
  }
  const std::string best = absl::StrCat(run, "/", kBestWeights);
  const std::string last = absl::StrCat(run, "/", kLastWeights);
  if (config.weights() == ExportConfig::LAST) return Source{last, run};
  if (!ReadFile(best).ok() && ReadFile(last).ok()) {
    log.Info("no held-out images chose a best epoch: takes the last one");
    return Source{last, run};
  }
  return Source{best, run};
}

// Whether the bytes begin as safetensors: the size of a header, its brace.
bool IsSafetensors(absl::string_view bytes) {
  return bytes.size() > 8 && bytes[8] == '{';
}

absl::StatusOr<std::string> ModelBytes(const ExportConfig& config,
                                       const std::string& path, RunLog& log) {
  FD_ASSIGN_OR_RETURN(std::string bytes, ReadFile(path));
  if (!IsSafetensors(bytes)) return ModelOfCheckpoint(config, path, log);
  for (const auto& [flag, given] :
       {std::pair<const char*, bool>{"genotype", config.has_genotype()},
        {"init_channels", config.has_init_channels()},
        {"layers", config.has_layers()},
        {"network", config.has_network()},
        {"image_size", config.has_image_size()},
        {"mean", config.has_mean()},
        {"std", config.has_std()}}) {
    if (given) {
      return UsageError(absl::StrCat("--", flag, ": ", path,
                                     " says it itself; leave it out"));
    }
  }
  return bytes;
}

absl::Status Export(int argc, const char* const* argv, RunLog& log) {
  ExportConfig config;
  FD_RETURN_IF_ERROR(ParseFlags(argc, argv, config));
  FD_RETURN_IF_ERROR(CheckFields(config));
  FD_ASSIGN_OR_RETURN(const Source source, FindSource(config, log));
  FD_ASSIGN_OR_RETURN(std::string bytes,
                      ModelBytes(config, source.weights, log));
  // Also what was just made is read as its users will read it.
  FD_ASSIGN_OR_RETURN(const ModelFile file,
                      ModelFile::Parse(bytes, source.weights));
  const bool onnx = config.format() == ExportConfig::ONNX;
  if (onnx) {
    FD_ASSIGN_OR_RETURN(bytes, SerializeOnnxModel(file));
  }
  std::string output = UserPath(config.output());
  if (config.output().empty()) {
    output = absl::StrCat(source.folder, source.folder.empty() ? "" : "/",
                          onnx ? "model.onnx" : "model.safetensors");
  }
  FD_RETURN_IF_ERROR(WriteFileAtomic(output, bytes));
  log.Info(absl::StrCat(output, ": ", bytes.size(), " bytes, from ",
                        source.weights));
  return absl::OkStatus();
}

}  // namespace

int ExportCommand(int argc, const char* const* argv, RunLog& log) {
  if (HelpRequested(argc, argv)) {
    log.Info(absl::StrCat(kUsage, "\n", FlagsHelp(ExportConfig())));
    return static_cast<int>(ExitCode::kDone);
  }
  return EndProgram(Export(argc, argv, log), "export_model", log);
}

}  // namespace fairdarts
