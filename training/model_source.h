#ifndef TRAINING_MODEL_SOURCE_H_
#define TRAINING_MODEL_SOURCE_H_

// From what a user names to a trained network in memory: a run's weights, a
// model file, or a file of torch.save. Free of LibTorch.

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "fairdarts/runtime/model_file.h"
#include "training/genotype_options.pb.h"
#include "training/run_log.h"

namespace fairdarts {

// What a network's images are like.
struct ImageForm {
  int size = 0;  // height and width
  Normalization normalization;
};

struct ModelSourceOptions {
  // One of them, or neither for the newest training run.
  std::string run;
  std::string model_path;
  bool last = false;  // of a run: its last weights instead of the best
  std::string runs_folder = "runs";

  // A check of the genotype, wherever it comes from.
  GenotypeOptions::ParseMethod parse_method = GenotypeOptions::AUTO;
  bool auxiliary = false;  // say so where the file has no auxiliary head

  // For files of torch.save alone, which do not say it themselves. Where a
  // value is given that the file contradicts, that is an error.
  std::string genotype;
  int init_channels = 0;  // 0: as the file's tensors say
  int layers = 0;         // 0: as the file's tensors say
  int image_size = 0;     // 0: 32, or 224 for the ImageNet network
  // None: as published for CIFAR-10 (10 classes), CIFAR-100 (100) or ImageNet.
  absl::optional<Normalization> normalization;
  // Where image_size or normalization are not given: those of these images.
  // Called for a file of torch.save that all else is right with.
  std::function<absl::StatusOr<ImageForm>()> images;
};

struct ModelSource {
  std::string path;            // of the weights
  std::string folder;          // the run's, or empty for a file
  bool is_model_file = false;  // it is one already
  std::string bytes;           // of a model file
  ModelFile model;             // what they say
};

// Paths begin where the user typed. Says in the log which run was taken and
// what of a file of torch.save was changed or left out. Usage errors name the
// flag; model-file errors begin with the path, and where the tensors are those
// of another published genotype they name it. All numbers of the model are
// finite.
absl::StatusOr<ModelSource> FindModelSource(const ModelSourceOptions& options,
                                            RunLog& log);

}  // namespace fairdarts

#endif  // TRAINING_MODEL_SOURCE_H_
