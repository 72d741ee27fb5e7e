#include "training/data/dataset.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/nearest_name.h"
#include "fairdarts/base/status.h"
#include "training/data/cifar_binary.h"
#include "training/data/cifar_python.h"
#include "training/data/idx.h"

namespace fairdarts {
namespace {

enum class Format { kIdx, kCifar10, kCifar100 };

CifarKind KindOf(Format format) {
  return format == Format::kCifar10 ? CifarKind::kCifar10
                                    : CifarKind::kCifar100;
}

struct KnownDataset {
  const char* name;
  Format format;
  const char* subfolder;         // where the usual archive or loader puts it
  const char* python_subfolder;  // CIFAR: the same for its pickles
  const char* default_folder;    // empty: none
  // The labels that the dataset defines: a larger one is damage, not a class.
  int max_classes;
  // Published; empty: computed from the training split.
  std::vector<double> mean;
  std::vector<double> standard_deviation;
  // Published; for files that do not name their classes.
  std::vector<std::string> class_names;
};

const std::vector<KnownDataset>& KnownDatasets() {
  static const auto* const kDatasets = new std::vector<KnownDataset>{
      {"fashion-mnist",
       Format::kIdx,
       "FashionMNIST/raw",
       "",
       "/usr/share/datasets/fashion-mnist",
       10,
       {},
       {},
       {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal",
        "Shirt", "Sneaker", "Bag", "Ankle boot"}},
      {"mnist", Format::kIdx, "MNIST/raw", "", "", 10, {}, {}, {}},
      {"cifar10",
       Format::kCifar10,
       "cifar-10-batches-bin",
       "cifar-10-batches-py",
       "",
       10,
       {.49139968, .48215827, .44653124},
       {.24703233, .24348505, .26158768},
       {}},
      {"cifar100",
       Format::kCifar100,
       "cifar-100-binary",
       "cifar-100-python",
       "",
       100,
       {.50707519, .48654887, .44091785},
       {.26733428, .25643846, .27615049},
       {}},
  };
  return *kDatasets;
}

std::string Folded(absl::string_view name) {
  std::string folded;
  for (const char c : name) {
    if (c != '-' && c != '_') folded += absl::ascii_tolower(c);
  }
  return folded;
}

absl::StatusOr<const KnownDataset*> Find(absl::string_view name) {
  const std::string folded = Folded(name);
  for (const KnownDataset& known : KnownDatasets()) {
    if (folded == Folded(known.name)) return &known;
  }
  // Enough to recognise it by, and no more than fits one line.
  const std::string shown = absl::CHexEscape(name.substr(0, 64));
  return DataError(absl::StrCat("dataset \"", shown,
                                "\": ", MustBeOneOf(shown, DatasetNames())));
}

std::string Join(const std::string& folder, absl::string_view name) {
  return (std::filesystem::path(folder) / std::string(name)).string();
}

bool Exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

// The file as it is or with .gz; where neither exists, the plain name, for the
// reader to say so.
std::string IdxPath(const std::string& folder, absl::string_view file) {
  const std::string plain = Join(folder, file);
  const std::string compressed = absl::StrCat(plain, ".gz");
  return !Exists(plain) && Exists(compressed) ? compressed : plain;
}

// Whether a folder holds CIFAR as pickles; the binary layout comes first.
bool HoldsPickles(CifarKind kind, const std::string& folder) {
  return !Exists(Join(folder, CifarFirstFile(kind, Split::kTrain))) &&
         Exists(Join(folder, CifarPythonFirstFile(kind, Split::kTrain)));
}

// The given folder or the usual one inside it, whichever holds the data.
absl::StatusOr<std::string> FindFolder(const KnownDataset& known,
                                       const std::string& given) {
  const std::string folder = given.empty() ? known.default_folder : given;
  if (folder.empty()) {
    return DataError(absl::StrCat("the folder of ", known.name,
                                  " is not given: name it with --data"));
  }
  const bool idx = known.format == Format::kIdx;
  const std::string file =
      idx ? "train-images-idx3-ubyte"
          : CifarFirstFile(KindOf(known.format), Split::kTrain);
  const std::string below = Join(folder, known.subfolder);
  for (const std::string& candidate : {folder, below}) {
    if (Exists(idx ? IdxPath(candidate, file) : Join(candidate, file))) {
      return candidate;
    }
  }
  const std::string python = Join(folder, known.python_subfolder);
  for (const std::string& candidate : {folder, python}) {
    if (!idx && HoldsPickles(KindOf(known.format), candidate)) return candidate;
  }
  return DataError(absl::StrCat(
      Join(folder, file), ": does not exist",
      idx ? ", plain or with .gz, here or in " : ", here or in ", below,
      idx ? "" : absl::StrCat(", nor pickles, here or in ", python), ": ",
      folder == known.default_folder
          ? "run ./bazelw, which installs Debian's package of it, or name "
            "another folder with --data"
          : absl::StrCat("name the folder of ", known.name, " with --data")));
}

// The file that holds the labels, or the first of them.
std::string LabelPath(const KnownDataset& known, const std::string& folder,
                      Split split) {
  if (known.format != Format::kIdx) {
    const CifarKind kind = KindOf(known.format);
    return Join(folder, HoldsPickles(kind, folder)
                            ? CifarPythonFirstFile(kind, split)
                            : CifarFirstFile(kind, split));
  }
  return IdxPath(folder, split == Split::kTrain ? "train-labels-idx1-ubyte"
                                                : "t10k-labels-idx1-ubyte");
}

absl::StatusOr<Dataset> LoadIdx(const std::string& folder,
                                const std::string& label_path, Split split) {
  const std::string image_path =
      IdxPath(folder, split == Split::kTrain ? "train-images-idx3-ubyte"
                                             : "t10k-images-idx3-ubyte");
  FD_ASSIGN_OR_RETURN(IdxArray labels, ReadIdx(label_path, 1));
  FD_ASSIGN_OR_RETURN(IdxArray images, ReadIdx(image_path, 3));
  if (images.dimensions[0] != labels.dimensions[0]) {
    return DataError(absl::StrCat(image_path, ": holds ", images.dimensions[0],
                                  " images, but ", label_path, " holds ",
                                  labels.dimensions[0], " labels"));
  }
  Dataset dataset;
  dataset.channels = 1;
  dataset.height = static_cast<int>(images.dimensions[1]);
  dataset.width = static_cast<int>(images.dimensions[2]);
  dataset.images = std::move(images.values);
  dataset.labels = std::move(labels.values);
  return dataset;
}

absl::StatusOr<Dataset> LoadCifar(CifarKind kind, const std::string& folder,
                                  Split split) {
  FD_ASSIGN_OR_RETURN(CifarImages cifar,
                      HoldsPickles(kind, folder)
                          ? ReadCifarPython(kind, folder, split)
                          : ReadCifar(kind, folder, split));
  Dataset dataset;
  dataset.channels = kCifarChannels;
  dataset.height = kCifarSide;
  dataset.width = kCifarSide;
  dataset.images = std::move(cifar.images);
  dataset.labels = std::move(cifar.labels);
  dataset.class_names = std::move(cifar.class_names);
  return dataset;
}

// One split, without what only the training split tells. Its labels must be
// below `classes`.
absl::StatusOr<Dataset> LoadFiles(const KnownDataset& known,
                                  const std::string& folder, Split split,
                                  int classes) {
  const std::string label_path = LabelPath(known, folder, split);
  absl::StatusOr<Dataset> dataset =
      known.format == Format::kIdx
          ? LoadIdx(folder, label_path, split)
          : LoadCifar(KindOf(known.format), folder, split);
  FD_RETURN_IF_ERROR(dataset);
  for (int64_t i = 0; i < dataset->size(); ++i) {
    if (dataset->labels[i] >= classes) {
      return DataError(absl::StrCat(label_path, ": label of image ", i, " is ",
                                    static_cast<int>(dataset->labels[i]),
                                    ", should be 0 to ", classes - 1));
    }
  }
  dataset->name = known.name;
  dataset->split = split;
  return dataset;
}

absl::Status ComputeMoments(Dataset* dataset, absl::string_view folder) {
  const int64_t plane = int64_t{dataset->height} * dataset->width;
  for (int c = 0; c < dataset->channels; ++c) {
    // Counts are exact, whatever the number of pixels.
    std::array<int64_t, 256> counts = {};
    for (int64_t i = 0; i < dataset->size(); ++i) {
      const uint8_t* pixels = dataset->image(i) + c * plane;
      for (int64_t j = 0; j < plane; ++j) ++counts[pixels[j]];
    }
    double sum = 0;
    for (int v = 0; v < 256; ++v) sum += static_cast<double>(counts[v]) * v;
    const double pixels = static_cast<double>(dataset->size()) * plane;
    const double mean = sum / pixels;
    double squares = 0;
    for (int v = 0; v < 256; ++v) {
      squares += static_cast<double>(counts[v]) * (v - mean) * (v - mean);
    }
    if (squares == 0) {
      return DataError(absl::StrCat(folder, ": all pixels of channel ", c,
                                    " of the training images are ", mean,
                                    ", should differ"));
    }
    dataset->mean.push_back(mean / 255);
    dataset->standard_deviation.push_back(std::sqrt(squares / pixels) / 255);
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> DatasetNames() {
  std::vector<std::string> names;
  for (const KnownDataset& known : KnownDatasets()) names.push_back(known.name);
  return names;
}

absl::StatusOr<std::string> CanonicalDatasetName(absl::string_view name) {
  FD_ASSIGN_OR_RETURN(const KnownDataset* known, Find(name));
  return std::string(known->name);
}

absl::StatusOr<PublishedNormalization> FindPublishedNormalization(
    absl::string_view name) {
  FD_ASSIGN_OR_RETURN(const KnownDataset* const known, Find(name));
  return PublishedNormalization{known->mean, known->standard_deviation};
}

absl::StatusOr<std::string> DefaultDatasetFolder(absl::string_view name) {
  FD_ASSIGN_OR_RETURN(const KnownDataset* known, Find(name));
  return std::string(known->default_folder);
}

absl::StatusOr<Dataset> LoadDataset(absl::string_view name,
                                    const std::string& folder, Split split) {
  FD_ASSIGN_OR_RETURN(const KnownDataset* known, Find(name));
  FD_ASSIGN_OR_RETURN(const std::string found, FindFolder(*known, folder));
  // The training split tells classes and moments for both.
  FD_ASSIGN_OR_RETURN(Dataset train, LoadFiles(*known, found, Split::kTrain,
                                               known->max_classes));
  train.classes = static_cast<int>(train.class_names.size());
  if (train.class_names.empty()) {
    train.classes =
        *std::max_element(train.labels.begin(), train.labels.end()) + 1;
    if (train.classes == static_cast<int>(known->class_names.size())) {
      train.class_names = known->class_names;
    }
  }
  if (known->mean.empty()) {
    FD_RETURN_IF_ERROR(ComputeMoments(&train, found));
  } else {
    train.mean = known->mean;
    train.standard_deviation = known->standard_deviation;
  }
  if (split == Split::kTrain) return train;
  FD_ASSIGN_OR_RETURN(Dataset test,
                      LoadFiles(*known, found, Split::kTest, train.classes));
  if (test.channels != train.channels || test.height != train.height ||
      test.width != train.width) {
    return DataError(absl::StrCat(
        found, ": test images are ", test.channels, " x ", test.height, " x ",
        test.width, ", should be ", train.channels, " x ", train.height, " x ",
        train.width, " as the training images"));
  }
  test.classes = train.classes;
  test.class_names = train.class_names;
  test.mean = std::move(train.mean);
  test.standard_deviation = std::move(train.standard_deviation);
  return test;
}

}  // namespace fairdarts
