#ifndef TRAINING_DATA_CIFAR_BINARY_H_
#define TRAINING_DATA_CIFAR_BINARY_H_

// CIFAR-10 and CIFAR-100 in the binary layout of
// https://www.cs.toronto.edu/~kriz/cifar.html: records without a header, each
// one label byte (CIFAR-100: a coarse one, then the fine one that is used) and
// 3 x 32 x 32 pixel bytes, red plane first.
//
// Nothing in a file tells how many records it should have, so one that was cut
// between two records looks whole. What gives it away are the other files: in
// CIFAR-10 all six hold the same number, in CIFAR-100 `train.bin` holds five
// times as many as `test.bin`. Both splits must therefore be in the folder.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "training/data/split.h"

namespace fairdarts {

inline constexpr int kCifarChannels = 3;
inline constexpr int kCifarSide = 32;

enum class CifarKind { kCifar10, kCifar100 };

struct CifarImages {
  std::vector<uint8_t> images;  // [N][3][32][32]
  std::vector<uint8_t> labels;  // [N]
  // From batches.meta.txt or fine_label_names.txt; empty without that file.
  // Every label is below their number.
  std::vector<std::string> class_names;
};

// The name of the first file of a split; a folder is recognised by it.
std::string CifarFirstFile(CifarKind kind, Split split);

// One split from the folder that holds the .bin files. Data errors name the
// file and the record.
absl::StatusOr<CifarImages> ReadCifar(CifarKind kind, const std::string& folder,
                                      Split split);

}  // namespace fairdarts

#endif  // TRAINING_DATA_CIFAR_BINARY_H_
