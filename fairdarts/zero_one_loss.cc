#include "fairdarts/zero_one_loss.h"

#include "fairdarts/base/check.h"

namespace fairdarts {

torch::Tensor ZeroOneLoss(const EdgeWeights& weights, ZeroOneForm form) {
  const torch::Tensor distance =
      torch::cat({weights.normal.flatten(), weights.reduce.flatten()}) - 0.5;
  switch (form) {
    case ZeroOneForm::kL2:
      return -distance.square().mean();
    case ZeroOneForm::kL1:
      return -distance.abs().mean();
  }
  FD_CHECK(false) << "no such form: " << static_cast<int>(form);
  return {};
}

}  // namespace fairdarts
