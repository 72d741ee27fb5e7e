#include "training/model_source.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "fairdarts/runtime/network_graph.h"
#include "genotypes/catalog.h"
#include "training/checkpoint/run_kind.h"
#include "training/data/dataset.h"
#include "training/export/model_tensors.h"
#include "training/genotype_argument.h"
#include "training/newest_run.h"
#include "training/torch_import/state_dict_names.h"
#include "training/torch_import/torch_file.h"
#include "training/train_files.h"
#include "training/user_path.h"

namespace fairdarts {
namespace {

using StateDict = std::vector<NamedTensor>;

absl::StatusOr<ModelSource> FindWeights(const ModelSourceOptions& options,
                                        RunLog& log) {
  ModelSource source;
  if (!options.model_path.empty()) {
    if (!options.run.empty()) {
      return UsageError("--run and --model_path both name weights: give one");
    }
    source.path = UserPath(options.model_path);
    return source;
  }
  source.folder = UserPath(options.run);
  if (options.run.empty()) {
    const absl::optional<std::string> newest = NewestRun(
        options.runs_folder, RunKind::kTrain, {kLastWeights, kBestWeights});
    if (!newest.has_value()) {
      return UsageError(absl::StrCat(
          "no training has left weights in ", options.runs_folder,
          " yet: name a run with --run, or a file with --model_path"));
    }
    source.folder = *newest;
    log.Info(absl::StrCat("the newest training run: ", source.folder));
  }
  const std::string best = absl::StrCat(source.folder, "/", kBestWeights);
  const std::string last = absl::StrCat(source.folder, "/", kLastWeights);
  source.path = options.last ? last : best;
  if (!options.last && !ReadFile(best).ok() && ReadFile(last).ok()) {
    log.Info("no held-out images chose a best epoch: takes the last one");
    source.path = last;
  }
  return source;
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
  if (options.image_size > 0) {
    network.image_size = options.image_size;
  } else if (options.images.has_value()) {
    network.image_size = options.images->size;
  }
  if (options.images.has_value() &&
      options.images->normalization.mean.size() !=
          static_cast<size_t>(network.image_channels)) {
    return UsageError(absl::StrCat("its network takes images of ",
                                   network.image_channels,
                                   " channels; those of the dataset have ",
                                   options.images->normalization.mean.size()));
  }
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

// Published genotypes whose network of this config has exactly these tensors.
std::vector<std::string> FittingGenotypes(const StateDict& tensors,
                                          const NetworkConfig& network) {
  std::set<std::pair<std::string, std::vector<int64_t>>> given;
  for (const NamedTensor& tensor : tensors) {
    if (absl::EndsWith(tensor.name, "num_batches_tracked") ||
        absl::StartsWith(tensor.name, "auxiliary_head.")) {
      continue;
    }
    given.emplace(tensor.name, tensor.view.shape);
  }
  std::vector<std::string> fitting;
  for (const CatalogEntry& entry : Catalog()) {
    const absl::StatusOr<NetworkGraph> graph =
        MakeNetworkGraph(entry.genotype, network);
    if (!graph.ok()) continue;
    const std::vector<TensorSpec> expected = ExpectedTensors(*graph);
    if (expected.size() == given.size() &&
        std::all_of(expected.begin(), expected.end(),
                    [&](const TensorSpec& spec) {
                      return given.count({spec.name, spec.shape}) > 0;
                    })) {
      fitting.push_back(entry.key());
    }
  }
  return fitting;
}

absl::StatusOr<std::string> ModelOfCheckpoint(const ModelSourceOptions& options,
                                              StateDict tensors, RunLog& log,
                                              absl::string_view path) {
  ImportReport report;
  FD_RETURN_IF_ERROR(NormalizeStateDict({}, &tensors, &report));
  ModelDescription description;
  FD_ASSIGN_OR_RETURN(description.network, NetworkOf(tensors, options));
  const auto fits = [&] {
    const std::vector<std::string> keys =
        FittingGenotypes(tensors, description.network);
    return keys.empty() ? "no published genotype fits"
                        : absl::StrCat("its tensors are those of ",
                                       absl::StrJoin(keys, ", "));
  };
  if (options.genotype.empty()) {
    return UsageError(absl::StrCat(
        "does not say its genotype: name it with --genotype; ", fits()));
  }
  GenotypeArgumentOptions argument_options;
  argument_options.parse_method = options.parse_method;
  argument_options.runs_folder = options.runs_folder;
  FD_ASSIGN_OR_RETURN(
      const GenotypeArgument argument,
      ResolveGenotypeArgument(options.genotype, argument_options));
  if (!argument.note.empty()) log.Info(argument.note);
  description.genotype = argument.genotype;
  if (options.normalization.has_value()) {
    description.normalization = *options.normalization;
  } else if (options.images.has_value()) {
    description.normalization = options.images->normalization;
  } else {
    FD_ASSIGN_OR_RETURN(description.normalization,
                        PublishedFor(description.network));
  }
  StateDict matched = tensors;  // views; the tensors stay where they are
  const absl::StatusOr<std::vector<TensorToWrite>> weights =
      ModelTensors(description, &matched, &report);
  if (!weights.ok()) {
    return ModelFileError(absl::StrCat("not the weights of ", argument.name,
                                       ": ", weights.status().message(), "; ",
                                       fits()));
  }
  if (options.auxiliary && report.auxiliary_ignored == 0) {
    log.Info(absl::StrCat(path,
                          ": has no auxiliary head, which evaluation "
                          "does not need"));
  }
  if (!report.Summary().empty()) {
    log.Info(absl::StrCat(path, ": ", report.Summary()));
  }
  return SerializeModelFile(description, *weights);
}

}  // namespace

absl::StatusOr<ModelSource> FindModelSource(const ModelSourceOptions& options,
                                            RunLog& log) {
  FD_ASSIGN_OR_RETURN(ModelSource source, FindWeights(options, log));
  FD_ASSIGN_OR_RETURN(source.bytes, ReadFile(source.path));
  if (!IsSafetensors(source.bytes)) {
    FD_ASSIGN_OR_RETURN(const TorchFile file,
                        TorchFile::Parse(std::move(source.bytes), source.path));
    FD_ASSIGN_OR_RETURN(TorchCheckpoint checkpoint, file.Checkpoint());
    absl::StatusOr<std::string> bytes = ModelOfCheckpoint(
        options, std::move(checkpoint.state_dict), log, source.path);
    if (!bytes.ok()) return Annotate(bytes.status(), source.path);
    source.bytes = *std::move(bytes);
    return source;
  }
  source.is_model_file = true;
  for (const auto& [flag, given] :
       {std::pair<const char*, bool>{"genotype", !options.genotype.empty()},
        {"init_channels", options.init_channels != 0},
        {"layers", options.layers != 0},
        {"image_size", options.image_size != 0},
        {"mean", options.normalization.has_value()}}) {
    if (given) {
      return UsageError(absl::StrCat("--", flag, ": ", source.path,
                                     " says it itself; leave it out"));
    }
  }
  return source;
}

}  // namespace fairdarts
