#ifndef TRAINING_CHECKPOINT_DTYPE_H_
#define TRAINING_CHECKPOINT_DTYPE_H_

// LibTorch's element types and those of safetensors.

#include "absl/types/optional.h"
#include "c10/core/ScalarType.h"
#include "fairdarts/base/safetensors.h"

namespace fairdarts {

// None where safetensors has no such type (complex and quantised numbers).
absl::optional<DType> DTypeOf(c10::ScalarType type);

c10::ScalarType ScalarTypeOf(DType dtype);

}  // namespace fairdarts

#endif  // TRAINING_CHECKPOINT_DTYPE_H_
