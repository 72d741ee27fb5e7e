#include "training/model_source.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/safetensors.h"
#include "fairdarts/base/status.h"
#include "fairdarts/base/user_path.h"
#include "fairdarts/runtime/network_graph.h"
#include "genotypes/catalog.h"
#include "training/checkpoint/checkpoint_list.h"
#include "training/checkpoint/envelope.h"
#include "training/checkpoint/run_kind.h"
#include "training/data/dataset.h"
#include "training/export/model_tensors.h"
#include "training/genotype_argument.h"
#include "training/newest_run.h"
#include "training/torch_import/state_dict_names.h"
#include "training/torch_import/torch_file.h"
#include "training/train_files.h"
#include "training/train_record.h"

namespace fairdarts {
namespace {

namespace fs = std::filesystem;

constexpr char kNoAuxiliary[] =
    ": has no auxiliary head, which evaluation does not need";

using StateDict = std::vector<NamedTensor>;

// Where the weights lie.
struct Weights {
  std::string path;
  std::string folder;  // the run's, or empty for a file
};

bool IsFolder(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool IsFile(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

absl::Status NoWeights(absl::string_view run, const std::string& folder) {
  if (IsRunOf(folder, RunKind::kTrain)) {
    return UsageError(absl::StrCat(
        "--run ", run, ": no epoch of this training has ended yet, so it has ",
        "no weights; go on with it: train --resume='", run, "'"));
  }
  return UsageError(absl::StrCat(
      "--run ", run, ": is no training's folder: it holds neither ",
      kBestWeights, " nor ", kLastWeights,
      IsRunOf(folder, RunKind::kSearch)
          ? "; it is that of a search, whose genotype train takes"
          : ""));
}

// The weights of a run's folder that holds some.
std::string WeightsOf(const std::string& folder, bool wants_last, RunLog& log) {
  const std::string best = absl::StrCat(folder, "/", kBestWeights);
  const std::string last = absl::StrCat(folder, "/", kLastWeights);
  if (wants_last) return last;
  if (IsFile(best)) return best;
  // A damaged record is left to who needs it.
  const auto record = FindTrainRecord(folder);
  const bool none_held_out =
      record.ok() && record->has_value() && (*record)->valid_portion() == 0;
  log.Info(none_held_out
               ? "no held-out images chose a best epoch: takes the last one"
               : absl::StrCat(best, " is not there: takes ", kLastWeights));
  return last;
}

absl::StatusOr<Weights> FindWeights(const ModelSourceOptions& options,
                                    RunLog& log) {
  if (!options.model_path.empty()) {
    if (!options.run.empty()) {
      return UsageError("--run and --model_path both name weights: give one");
    }
    if (options.last) {
      return UsageError(
          "--weights=last: chooses among a run's weights, and --model_path "
          "names one file; leave it out");
    }
    const std::string path = UserPath(options.model_path);
    if (IsFolder(path)) {
      return UsageError(absl::StrCat("--model_path ", options.model_path,
                                     ": is a folder; a run's is given as ",
                                     "--run=", options.model_path));
    }
    return Weights{path, ""};
  }
  std::string folder = UserPath(options.run);
  if (options.run.empty()) {
    const absl::optional<std::string> newest = NewestRun(
        options.runs_folder, RunKind::kTrain, {kLastWeights, kBestWeights});
    if (!newest.has_value()) {
      return UsageError(absl::StrCat(
          "no training has left weights in ", options.runs_folder,
          " yet: name a run with --run, or a file with --model_path"));
    }
    folder = *newest;
    log.Info(absl::StrCat("the newest training run: ", folder));
  } else if (IsFile(folder)) {
    return UsageError(absl::StrCat("--run ", options.run,
                                   ": is a file; give the run's folder, or the "
                                   "file as --model_path"));
  } else if (!IsFolder(folder)) {
    return UsageError(
        absl::StrCat("--run ", options.run, ": there is no such folder"));
  }
  if (!IsFile(absl::StrCat(folder, "/", kBestWeights)) &&
      !IsFile(absl::StrCat(folder, "/", kLastWeights))) {
    return NoWeights(options.run, folder);
  }
  return Weights{WeightsOf(folder, options.last, log), folder};
}

// Whether the bytes begin as safetensors: the size of a header, its brace.
bool IsSafetensors(absl::string_view bytes) {
  return bytes.size() > 8 && bytes[8] == '{';
}

const NamedTensor* Find(const StateDict& tensors, absl::string_view name,
                        size_t dimensions) {
  for (const NamedTensor& tensor : tensors) {
    if (tensor.name == name && tensor.view.shape.size() == dimensions) {
      return &tensor;
    }
  }
  return nullptr;
}

// One more than the largest N of "cells.N."; numbers that no network has are
// refused with the rest of the config.
int CellsOf(const StateDict& tensors) {
  int cells = 0;
  for (const NamedTensor& tensor : tensors) {
    const std::vector<absl::string_view> parts =
        absl::StrSplit(tensor.name, absl::MaxSplits('.', 2));
    int cell;
    if (parts.size() == 3 && parts[0] == "cells" &&
        absl::SimpleAtoi(parts[1], &cell) && cell >= 0 && cell < 1 << 20) {
      cells = std::max(cells, cell + 1);
    }
  }
  return cells;
}

absl::Status CheckGiven(absl::string_view flag, int given, int of_file) {
  if (given == 0 || given == of_file) return absl::OkStatus();
  return UsageError(absl::StrCat(flag, " ", given,
                                 ": the tensors are those of a network with ",
                                 of_file, "; leave the flag out"));
}

// The network whose state dict this is, by its stem, cells and classifier.
absl::StatusOr<NetworkConfig> NetworkOf(const StateDict& tensors,
                                        const ModelSourceOptions& options) {
  const NamedTensor* const cifar = Find(tensors, "stem.0.weight", 4);
  const NamedTensor* const imagenet = Find(tensors, "stem0.0.weight", 4);
  const NamedTensor* const imagenet_stem1 = Find(tensors, "stem1.1.weight", 4);
  const NamedTensor* const classifier = Find(tensors, "classifier.bias", 1);
  const bool is_imagenet = imagenet != nullptr && imagenet_stem1 != nullptr;
  if ((cifar == nullptr && !is_imagenet) || classifier == nullptr) {
    return ModelFileError(
        "holds no network of cells: it has no stem.0.weight or stem0.0.weight "
        "of four dimensions, or no classifier.bias of one");
  }
  NetworkConfig network =
      is_imagenet ? NetworkConfig::ImageNet() : NetworkConfig::Cifar();
  const auto small = [](int64_t size) {
    return static_cast<int>(std::min<int64_t>(size, 1 << 30));
  };
  network.init_channels = is_imagenet ? small(imagenet_stem1->view.shape[0])
                                      : small(cifar->view.shape[0] / 3);
  network.image_channels =
      small((is_imagenet ? imagenet : cifar)->view.shape[1]);
  network.layers = CellsOf(tensors);
  network.classes = small(classifier->view.shape[0]);
  if (options.image_size > 0) network.image_size = options.image_size;
  FD_RETURN_IF_ERROR(CheckGiven("init_channels", options.init_channels,
                                network.init_channels));
  FD_RETURN_IF_ERROR(CheckGiven("layers", options.layers, network.layers));
  return network;
}

absl::StatusOr<Normalization> PublishedFor(const NetworkConfig& network) {
  if (network.kind == NetworkConfig::Kind::kImageNet) {
    // As torchvision normalises ImageNet, and the published training with it.
    return Normalization{{.485, .456, .406}, {.229, .224, .225}};
  }
  if (network.classes != 10 && network.classes != 100) {
    return UsageError(absl::StrCat(
        "a file with ", network.classes,
        " classes: give --mean and --std; only those of CIFAR-10, CIFAR-100 "
        "and ImageNet are known"));
  }
  FD_ASSIGN_OR_RETURN(PublishedNormalization published,
                      FindPublishedNormalization(
                          network.classes == 10 ? "cifar10" : "cifar100"));
  return Normalization{std::move(published.mean),
                       std::move(published.standard_deviation)};
}

// Published genotypes whose network of this config has exactly these tensors,
// each by the first of its names.
std::vector<std::string> FittingGenotypes(const StateDict& tensors,
                                          const NetworkConfig& network) {
  std::set<std::pair<std::string, std::vector<int64_t>>> given;
  for (const NamedTensor& tensor : tensors) {
    if (absl::EndsWith(tensor.name, "num_batches_tracked") ||
        absl::StartsWith(tensor.name, "auxiliary_head.")) {
      continue;
    }
    if (tensor.view.dtype != DType::kF32) return {};
    given.emplace(tensor.name, tensor.view.shape);
  }
  std::vector<const CatalogEntry*> fitting;
  for (const CatalogEntry& entry : Catalog()) {
    if (std::any_of(fitting.begin(), fitting.end(),
                    [&](const CatalogEntry* named) {
                      return named->genotype == entry.genotype;
                    })) {
      continue;
    }
    const absl::StatusOr<NetworkGraph> graph =
        MakeNetworkGraph(entry.genotype, network);
    if (!graph.ok()) continue;
    const std::vector<TensorSpec> expected = ExpectedTensors(*graph);
    if (expected.size() == given.size() &&
        std::all_of(expected.begin(), expected.end(),
                    [&](const TensorSpec& spec) {
                      return given.count({spec.name, spec.shape}) > 0;
                    })) {
      fitting.push_back(&entry);
    }
  }
  std::vector<std::string> keys;
  for (const CatalogEntry* entry : fitting) keys.push_back(entry->key());
  return keys;
}

// What a file of torch.save holds, but for what only its images say.
struct Import {
  ModelDescription description;
  std::vector<TensorToWrite> weights;  // views of the tensors
  StateDict tensors;
};

absl::StatusOr<Import> ImportCheckpoint(const ModelSourceOptions& options,
                                        StateDict tensors,
                                        const std::string& path, RunLog& log) {
  Import import;
  ImportReport report;
  FD_RETURN_IF_ERROR(NormalizeStateDict({}, &tensors, &report));
  NetworkConfig& network = import.description.network;
  FD_ASSIGN_OR_RETURN(network, NetworkOf(tensors, options));
  const auto fitting = [&] {
    return absl::StrJoin(FittingGenotypes(tensors, network), ", ");
  };
  if (options.genotype.empty()) {
    const std::string keys = fitting();
    return UsageError(absl::StrCat(
        "does not say its genotype: name it with --genotype; ",
        keys.empty() ? "no published genotype fits"
                     : absl::StrCat("its tensors are those of ", keys)));
  }
  GenotypeArgumentOptions argument_options;
  argument_options.parse_method = options.parse_method;
  argument_options.runs_folder = options.runs_folder;
  FD_ASSIGN_OR_RETURN(
      const GenotypeArgument argument,
      ResolveGenotypeArgument(options.genotype, argument_options));
  if (!argument.note.empty()) log.Info(argument.note);
  import.description.genotype = argument.genotype;
  import.tensors = tensors;  // views; the tensors stay where they are
  absl::StatusOr<std::vector<TensorToWrite>> weights =
      ModelTensors(import.description, &import.tensors, &report);
  if (!weights.ok()) {
    const std::string keys = fitting();
    return ModelFileError(absl::StrCat(
        keys.empty()
            ? absl::StrCat("its tensors are not those of ", argument.name,
                           ", and no published genotype fits: ")
            : absl::StrCat("its tensors are those of ", keys, ", not of ",
                           argument.name, ": "),
        weights.status().message()));
  }
  import.weights = *std::move(weights);
  if (options.auxiliary && report.auxiliary_ignored == 0) {
    log.Info(absl::StrCat(path, kNoAuxiliary));
  }
  if (!report.Summary().empty()) {
    log.Info(absl::StrCat(path, ": ", report.Summary()));
  }
  return import;
}

// The model file of an import, for images of that form where one is given.
absl::StatusOr<std::string> ModelOf(const ModelSourceOptions& options,
                                    Import import,
                                    const absl::optional<ImageForm>& images) {
  ModelDescription& description = import.description;
  NetworkConfig& network = description.network;
  if (images.has_value()) {
    const size_t channels = images->normalization.mean.size();
    if (channels != static_cast<size_t>(network.image_channels)) {
      return UsageError(
          absl::StrCat("its network takes images of ", network.image_channels,
                       " channels; those of the dataset have ", channels));
    }
    if (options.image_size == 0) network.image_size = images->size;
  }
  if (options.normalization.has_value()) {
    description.normalization = *options.normalization;
  } else if (images.has_value()) {
    description.normalization = images->normalization;
  } else {
    FD_ASSIGN_OR_RETURN(description.normalization, PublishedFor(network));
  }
  return SerializeModelFile(description, import.weights);
}

absl::StatusOr<std::string> ModelOfTorchFile(const ModelSourceOptions& options,
                                             std::string bytes,
                                             const std::string& path,
                                             RunLog& log) {
  FD_ASSIGN_OR_RETURN(const TorchFile file,
                      TorchFile::Parse(std::move(bytes), path));
  FD_ASSIGN_OR_RETURN(TorchCheckpoint checkpoint, file.Checkpoint());
  absl::StatusOr<Import> import =
      ImportCheckpoint(options, std::move(checkpoint.state_dict), path, log);
  if (!import.ok()) return Annotate(import.status(), path);
  absl::optional<ImageForm> images;
  if (options.images != nullptr) {
    FD_ASSIGN_OR_RETURN(images, options.images());
  }
  absl::StatusOr<std::string> model =
      ModelOf(options, *std::move(import), images);
  if (!model.ok()) return Annotate(model.status(), path);
  return model;
}

absl::Status CheckFlagsOfModelFile(const ModelSourceOptions& options,
                                   const std::string& path) {
  for (const auto& [flag, given] :
       {std::pair<const char*, bool>{"genotype", !options.genotype.empty()},
        {"init_channels", options.init_channels != 0},
        {"layers", options.layers != 0},
        {"image_size", options.image_size != 0},
        {"mean", options.normalization.has_value()}}) {
    if (given) {
      return UsageError(absl::StrCat("--", flag, ": ", path,
                                     " says it itself; leave it out"));
    }
  }
  return absl::OkStatus();
}

// The error of a file that is no model file, or what the file is instead.
absl::Status ExplainedError(const absl::Status& error, const std::string& bytes,
                            const std::string& path) {
  const absl::StatusOr<SafetensorsFile> file =
      SafetensorsFile::Parse(bytes, path);
  if (!file.ok()) return error;
  const auto kind = file->metadata().find(kCheckpointKindKey);
  if (kind == file->metadata().end()) return error;
  if (kind->second == RunKindName(RunKind::kSearch)) {
    return ModelFileError(absl::StrCat(
        path, ": is a checkpoint of a search, which trains no network of a ",
        "genotype"));
  }
  const fs::path folder = fs::path(path).parent_path();
  return ModelFileError(absl::StrCat(
      path, ": is a checkpoint of a training, not a model file; give --run=",
      folder.filename() == kCheckpointsFolder && folder.has_parent_path()
          ? folder.parent_path().string()
          : "FOLDER",
      " in place of --model_path"));
}

absl::Status CheckFinite(const ModelFile& model) {
  for (const TensorSpec& spec : ExpectedTensors(model.graph())) {
    const TensorView& tensor = model.Tensor(spec.name);
    for (int64_t i = 0; i < tensor.elements(); ++i) {
      float value;
      std::memcpy(&value, tensor.data.data() + i * sizeof(value),
                  sizeof(value));
      if (!std::isfinite(value)) {
        return ModelFileError(absl::StrCat("tensor ", spec.name, " holds ",
                                           value, " at ", i,
                                           "; only finite numbers make a "
                                           "model"));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ModelSource> FindModelSource(const ModelSourceOptions& options,
                                            RunLog& log) {
  FD_ASSIGN_OR_RETURN(Weights weights, FindWeights(options, log));
  const std::string& path = weights.path;
  FD_ASSIGN_OR_RETURN(std::string bytes, ReadFile(path));
  const bool is_model_file = IsSafetensors(bytes);
  if (is_model_file) {
    FD_RETURN_IF_ERROR(CheckFlagsOfModelFile(options, path));
  } else if (TorchFile::Recognises(bytes)) {
    FD_ASSIGN_OR_RETURN(bytes,
                        ModelOfTorchFile(options, std::move(bytes), path, log));
  } else {
    return ModelFileError(
        absl::StrCat(path, bytes.empty() ? ": is empty, and so" : ": is",
                     " neither a model file (safetensors) nor a file of "
                     "torch.save"));
  }
  // Also what was just made is read as its users will read it.
  absl::StatusOr<ModelFile> model = ModelFile::Parse(bytes, path);
  if (!model.ok()) return ExplainedError(model.status(), bytes, path);
  FD_RETURN_IF_ERROR(Annotate(CheckFinite(*model), path));
  if (is_model_file) {
    FD_RETURN_IF_ERROR(CheckParseMethod(model->description().genotype, path,
                                        options.parse_method));
    if (options.auxiliary) log.Info(absl::StrCat(path, kNoAuxiliary));
  }
  return ModelSource{path, weights.folder, is_model_file, std::move(bytes),
                     *std::move(model)};
}

}  // namespace fairdarts
