#ifndef FAIRDARTS_ARCHITECT_H_
#define FAIRDARTS_ARCHITECT_H_

// The search's view of the architecture: it owns the alphas' optimiser.
//
// DARTS (arXiv 1806.09055, equations 3 and 4) states the search as a bi-level
// problem, alphas on one half of the data, weights on the other:
//
//   min_alpha L_val(w*(alpha), alpha)  where  w*(alpha) = argmin_w L_train
//
// An alpha step descends a gradient of L_val (alpha_gradient.h): FairDARTS
// that of first order, where w* is taken to be the present w. The single-level
// search, for comparison, moves both on the training batch.
//
// The optimiser is Adam (arXiv 1412.6980) with weight decay as an L2 term
// (weight_decay * alpha joins the gradient before the moments).

#include <array>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "fairdarts/relaxation.h"

namespace fairdarts {

struct ArchitectOptions {
  double learning_rate = 3e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double weight_decay = 1e-3;
};

// Not thread-safe. Throws what torch throws.
class Architect {
 public:
  // A usage error names the first option that means nothing.
  static absl::StatusOr<std::unique_ptr<Architect>> Create(
      const Alphas& alphas, const ArchitectOptions& options);

  // Steps the alphas down a gradient. A numbers error where it is not finite;
  // the alphas have not moved then.
  absl::Status StepAlong(const torch::Tensor& normal_gradient,
                         const torch::Tensor& reduce_gradient);

  // The same step in operations that read nothing on the host (sgd.h): whether
  // a gradient is finite (CheckGradient) is left to the caller, and so is
  // counting the step.
  // What changes from step to step comes as StepRates() of its number, [2] on
  // the alphas' device.
  void StepAlong(const torch::Tensor& normal_gradient,
                 const torch::Tensor& reduce_gradient,
                 const torch::Tensor& rates);
  // Of step t, from 1: learning_rate / (1 - beta1^t) and 1 / sqrt(1 - beta2^t).
  std::array<double, 2> StepRates(int64_t t) const;
  void CountStep();
  // Of the sum of all absolute values of a gradient.
  static absl::Status CheckGradient(double sum);

  // What it remembers from step to step, its moments and step counts, is all
  // the state there is beside the alphas (normal, then reduce).
  torch::optim::Adam& optimizer() { return optimizer_; }

 private:
  Architect(const Alphas& alphas, const ArchitectOptions& options);

  // What Adam remembers of an alpha, zeros before its first step.
  torch::optim::AdamParamState& StateOf(const torch::Tensor& alpha);

  const ArchitectOptions options_;
  Alphas alphas_;
  torch::optim::Adam optimizer_;
};

}  // namespace fairdarts

#endif  // FAIRDARTS_ARCHITECT_H_
