#ifndef FAIRDARTS_RUNTIME_RUN_SPANS_H_
#define FAIRDARTS_RUNTIME_RUN_SPANS_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace fairdarts {

// How many images a session is to run. A usage error where `images` holds no
// whole number of them, 1 at least, or `logits` has room for another number of
// rows, or one of them is null. Allocates nothing but the message of an error.
absl::StatusOr<int64_t> CountImages(absl::Span<const float> images,
                                    absl::Span<float> logits,
                                    int64_t image_floats, int classes);

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_RUN_SPANS_H_
