#ifndef FAIRDARTS_RUNTIME_MODEL_FILE_H_
#define FAIRDARTS_RUNTIME_MODEL_FILE_H_

// The file that carries a trained network to inference: safetensors with the
// network's state dict (float32, without auxiliary head and counters of
// batches) and a description of it as metadata:
//
//   format_version  "1"
//   genotype        the published code's text, Genotype(normal=[...], ...)
//   form            "pairs", "threshold" or "weighted"
//   network         "cifar" or "imagenet"
//   init_channels, layers, classes   decimal
//   image_shape     [channels, height, width]
//   mean, std       one number a channel, of pixels from 0 to 1
//   class_names     strings, as many as classes, or []
//   header_check    16 hexadecimal digits over all of the above and the names,
//                   shapes and places of the tensors: damage to any of them
//                   shows, also where it leaves a valid description behind
//
// The numbers in the tensors are not under a check: it would be another pass
// over all of them at every start. A flipped bit there is another weight, or
// an error where what it gives is not finite.
//
// Brackets stand for JSON. Unknown or missing keys are refused, so a change of
// the format is a new version.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/safetensors.h"
#include "fairdarts/runtime/mapped_file.h"
#include "fairdarts/runtime/network_graph.h"
#include "genotypes/cost.h"
#include "genotypes/genotype.h"

namespace fairdarts {

inline constexpr int kModelFormatVersion = 1;

// What turns pixels of 0 to 1 into what the network sees:
// (pixel - mean) / std, channel by channel.
struct Normalization {
  std::vector<double> mean;
  std::vector<double> std;  // above 0
};

struct ModelDescription {
  Genotype genotype;
  NetworkConfig network;  // its auxiliary head plays no part
  Normalization normalization;
  std::vector<std::string> class_names;  // none, or one for each class
};

// The metadata of the file of a description, but for header_check.
std::map<std::string, std::string> DescriptionMetadata(
    const ModelDescription& description);

// Immutable, so it may be read from several threads.
class ModelFile {
 public:
  // Errors are model-file errors that begin with `path` and name what is
  // wrong: the field, or the first tensor that is missing, surplus or of
  // another type or shape than genotype and config ask for. The first maps
  // the file instead of reading it, see mapped_file.h.
  static absl::StatusOr<ModelFile> Load(const std::string& path);
  // The same over bytes in memory; `name` stands for the path in messages.
  static absl::StatusOr<ModelFile> Parse(std::string bytes,
                                         absl::string_view name);

  const ModelDescription& description() const { return description_; }
  // MakeNetworkGraph of the description.
  const NetworkGraph& graph() const { return graph_; }
  // A tensor of ExpectedTensors(graph()): float32, not necessarily aligned.
  const TensorView& Tensor(const std::string& name) const;

 private:
  ModelFile(std::unique_ptr<const MappedFile> mapping, SafetensorsFile tensors,
            absl::string_view name);
  absl::Status Check();

  std::unique_ptr<const MappedFile> mapping_;  // null for bytes in memory
  SafetensorsFile tensors_;
  std::string name_;
  ModelDescription description_;
  NetworkGraph graph_;
};

// The bytes of a model file. `tensors` are exactly ExpectedTensors of the
// network in any order; errors are those of ModelFile without a path. The file
// holds them in the order of ExpectedTensors.
absl::StatusOr<std::string> SerializeModelFile(
    const ModelDescription& description,
    const std::vector<TensorToWrite>& tensors);

// Writes it, whole or not at all; errors begin with `path`.
absl::Status WriteModelFile(const std::string& path,
                            const ModelDescription& description,
                            const std::vector<TensorToWrite>& tensors);

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_MODEL_FILE_H_
