#ifndef FAIRDARTS_POWER_ITERATION_H_
#define FAIRDARTS_POWER_ITERATION_H_

// The largest eigenvalue of a symmetric matrix that is known only by its
// products with vectors.

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fairdarts {

struct PowerIterationOptions {
  int max_products = 100;
  // It ends when the value moves by at most this part of itself.
  double tolerance = 1e-3;
  uint64_t seed = 0;  // of the vector that it starts from
};

struct LargestEigenvalue {
  double value = 0;  // the largest that was seen, where it has not settled
  int products = 0;
  bool converged = false;
};

using Vector = std::vector<double>;

// Powers of H turn a vector towards the eigenvector whose eigenvalue is largest
// in magnitude. Where that one is negative (or has a twin of the other sign),
// powers of H + |it| follow, of which no eigenvalue is negative: the largest,
// with its sign, is found then. `times` maps v to H v; its error ends it. A
// numbers error where a product is not finite.
absl::StatusOr<LargestEigenvalue> FindLargestEigenvalue(
    int size, const PowerIterationOptions& options,
    absl::FunctionRef<absl::StatusOr<Vector>(const Vector&)> times);

}  // namespace fairdarts

#endif  // FAIRDARTS_POWER_ITERATION_H_
