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

  // What it remembers from step to step, its moments and step counts, is all
  // the state there is beside the alphas (normal, then reduce).
  torch::optim::Adam& optimizer() { return optimizer_; }

 private:
  Architect(const Alphas& alphas, const ArchitectOptions& options);

  Alphas alphas_;
  torch::optim::Adam optimizer_;
};

}  // namespace fairdarts

#endif  // FAIRDARTS_ARCHITECT_H_
