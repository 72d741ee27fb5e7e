#ifndef TRAINING_DATA_IDX_H_
#define TRAINING_DATA_IDX_H_

// The idx format of MNIST and Fashion-MNIST, plain or in gzip:
// two zero bytes, the type (8: unsigned byte, the only one read), the number
// of dimensions, each dimension as a big-endian uint32, then the values in
// row-major order. http://yann.lecun.com/exdb/mnist
//
// A file is hostile: the declared size is bounded before it is believed, the
// values must be exactly as many as declared, and an inflating stream is
// stopped at the declared size. gzip must be one whole member with a good
// checksum and nothing after it.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairdarts {

// The most values that a file may declare.
inline constexpr int64_t kMaxIdxValues = int64_t{2} << 30;

// Every dimension is at least 1; values.size() is their product.
struct IdxArray {
  std::vector<int64_t> dimensions;
  std::vector<uint8_t> values;
};

// The array in `bytes`, which must have `dimensions` (1 to 255) dimensions;
// gzip is told by its first two bytes. Data errors begin with `name`.
absl::StatusOr<IdxArray> ParseIdx(absl::string_view bytes, int dimensions,
                                  absl::string_view name);

// The same from a file.
absl::StatusOr<IdxArray> ReadIdx(const std::string& path, int dimensions);

}  // namespace fairdarts

#endif  // TRAINING_DATA_IDX_H_
