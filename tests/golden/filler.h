#ifndef TESTS_GOLDEN_FILLER_H_
#define TESTS_GOLDEN_FILLER_H_

// The inputs of the golden cases, which are made by a counter instead of being
// stored. With RandomStream(fnv1a64(name) xor seed).At(i) = z(i):
//   unit(name, seed)[i]   = float((z(i) >> 40) * 2^-23 - 1), in [-1, 1)
//   labels(name, seed)[i] = (z(i) >> 40) mod classes
// All arithmetic on the values is float32, as it was when the files were made.

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"

namespace fairdarts {

// `n` values in row-major order.
std::vector<float> GoldenUnit(absl::string_view name, int64_t n, uint64_t seed);

// unit * 1.5.
std::vector<float> GoldenImages(absl::string_view name, int64_t n,
                                uint64_t seed);

std::vector<int64_t> GoldenLabels(absl::string_view name, int64_t n,
                                  int64_t classes, uint64_t seed);

// The values of a network's tensor: running_mean unit * 0.2; running_var and
// the weights of batch norms (the weights with one dimension) unit * 0.5 + 1;
// biases of batch norms unit * 0.2, of a linear layer unit * 0.1; every other
// weight unit * sqrt(3 / elements per output channel). `batch_norm` tells the
// two kinds of bias apart. Not for num_batches_tracked, which is 0.
std::vector<float> GoldenParameter(absl::string_view name,
                                   const std::vector<int64_t>& shape,
                                   bool batch_norm, uint64_t seed);

}  // namespace fairdarts

#endif  // TESTS_GOLDEN_FILLER_H_
