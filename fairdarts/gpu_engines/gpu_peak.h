#ifndef FAIRDARTS_GPU_ENGINES_GPU_PEAK_H_
#define FAIRDARTS_GPU_ENGINES_GPU_PEAK_H_

#include "absl/types/optional.h"
#include "ops/cuda/element.h"

namespace fairdarts {

// Operations (a multiply-add is two) that a multiprocessor of a compute
// capability does a clock at most, with float sums and dense matrices: on its
// tensor cores for the half types, without them for float32. From NVIDIA's
// architecture white papers. None for other GPUs; 8.6 and 8.9 are among them,
// whose boards differ by two in the same capability.
absl::optional<int> OperationsAClock(int major, int minor, Precision precision);

}  // namespace fairdarts

#endif  // FAIRDARTS_GPU_ENGINES_GPU_PEAK_H_
