#ifndef FAIRDARTS_RUNTIME_CUDA_STORED_ELEMENTS_H_
#define FAIRDARTS_RUNTIME_CUDA_STORED_ELEMENTS_H_

#include <vector>

#include "absl/types/span.h"
#include "ops/cuda/element.h"

namespace fairdarts {

// Numbers as elements of a precision lie in memory, each rounded to the
// nearest.
std::vector<char> StoredElements(absl::Span<const float> values,
                                 Precision precision);

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_CUDA_STORED_ELEMENTS_H_
