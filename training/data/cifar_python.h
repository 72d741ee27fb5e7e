#ifndef TRAINING_DATA_CIFAR_PYTHON_H_
#define TRAINING_DATA_CIFAR_PYTHON_H_

// CIFAR-10 and CIFAR-100 in the "python version" of
// https://www.cs.toronto.edu/~kriz/cifar.html, which torchvision downloads:
// pickles of dicts with a uint8 array `data` [N, 3072] (red plane first), a
// list `labels` or `fine_labels`, and things that are not needed. They are
// read as data: no pickle can make anything run (training/torch_import).

#include <string>

#include "absl/status/statusor.h"
#include "training/data/cifar_binary.h"
#include "training/data/split.h"

namespace fairdarts {

// The name of the first file of a split; a folder is recognised by it.
std::string CifarPythonFirstFile(CifarKind kind, Split split);

// One split from the folder that holds the pickles. Class names come from
// batches.meta or meta and are empty without that file. Data errors name the
// file and the field.
absl::StatusOr<CifarImages> ReadCifarPython(CifarKind kind,
                                            const std::string& folder,
                                            Split split);

}  // namespace fairdarts

#endif  // TRAINING_DATA_CIFAR_PYTHON_H_
