#ifndef TRAINING_DATA_DATASET_H_
#define TRAINING_DATA_DATASET_H_

// Labelled images, decoded and in memory, and the datasets known by name.
//
//   name            folder holds                            or below it in
//   fashion-mnist   {train,t10k}-{images-idx3,labels-idx1}- FashionMNIST/raw
//   mnist             ubyte, plain or .gz                   MNIST/raw
//   cifar10         data_batch_{1..5}.bin, test_batch.bin cifar-10-batches-bin
//   cifar100        train.bin, test.bin                     cifar-100-binary
//
// CIFAR is also read as Python's pickles (data_batch_1, train), in the folder
// or in cifar-10-batches-py or cifar-100-python below it, where the binary
// files are not there.
//
// Names are read without regard to case, '-' and '_': "CIFAR-10" is cifar10.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "training/data/split.h"

namespace fairdarts {

// Immutable once loaded, so it may be read from several threads.
struct Dataset {
  std::string name;
  Split split = Split::kTrain;
  int channels = 0;
  int height = 0;
  int width = 0;
  // Labels are 0 .. classes - 1. What the class names say where the data has
  // them, else one more than the largest label of the training split.
  int classes = 0;
  std::vector<std::string> class_names;  // empty or one for each class
  std::vector<uint8_t> images;           // [N][C][H][W]
  std::vector<uint8_t> labels;           // [N]
  // Of pixel / 255, one for each channel, over the training split (in both
  // splits): the published figures for CIFAR, computed for the others.
  std::vector<double> mean;
  std::vector<double> standard_deviation;

  int64_t size() const { return static_cast<int64_t>(labels.size()); }
  int64_t image_bytes() const { return int64_t{channels} * height * width; }
  const uint8_t* image(int64_t sample) const {
    return images.data() + sample * image_bytes();
  }
};

// The names above, as LoadDataset's errors and help texts list them.
std::vector<std::string> DatasetNames();

// The name above that `name` spells; the data error suggests one.
absl::StatusOr<std::string> CanonicalDatasetName(absl::string_view name);

// Mean and standard deviation that were published for `name`; both empty where
// they are computed from its training split.
struct PublishedNormalization {
  std::vector<double> mean;
  std::vector<double> standard_deviation;
};
absl::StatusOr<PublishedNormalization> FindPublishedNormalization(
    absl::string_view name);

// Where `name` lies when no folder is given: Debian's package for
// fashion-mnist, empty (a folder must be given) for the others.
absl::StatusOr<std::string> DefaultDatasetFolder(absl::string_view name);

// One split of a dataset; an empty folder stands for the default one. Every
// fault of the files is a data error of one line that names file and value.
absl::StatusOr<Dataset> LoadDataset(absl::string_view name,
                                    const std::string& folder, Split split);

}  // namespace fairdarts

#endif  // TRAINING_DATA_DATASET_H_
