#ifndef FAIRDARTS_CLASSIFIER_TOP_CLASSES_H_
#define FAIRDARTS_CLASSIFIER_TOP_CLASSES_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace fairdarts {

struct ClassProbability {
  int index;           // of the class
  double probability;  // in [0, 1]; those of all classes add up to 1
};

// The softmax of logits, exp(logit) / sum of exp(logit), of the `top` largest
// ones, largest first and the lower index first among equals; of all where
// there are fewer. In double, relative to the largest logit, so that nothing
// overflows. A numbers error where a logit is not finite.
absl::StatusOr<std::vector<ClassProbability>> TopClasses(
    absl::Span<const float> logits, int top);

}  // namespace fairdarts

#endif  // FAIRDARTS_CLASSIFIER_TOP_CLASSES_H_
