#ifndef FAIRDARTS_ALPHA_GRADIENT_H_
#define FAIRDARTS_ALPHA_GRADIENT_H_

// The gradient along which the alphas of a bi-level search step (DARTS, arXiv
// 1806.09055, section 2.3): that of L_val(w*(alpha), alpha), where the best
// weights w* for given alphas are not searched for but
//
//   first order   taken to be the present ones, w* = w;
//   second order  one step away, w* = w' = w - xi * u, with the training loss
//                 in u = momentum * v + dL_train/dw + weight_decay * w.
//
// The second adds the term that says how that step depends on the alphas:
//
//   dL_val(w', alpha)/dalpha - xi * (d2 L_train/dalpha dw) * g,
//                                            g = dL_val(w', alpha)/dw'
//
// of which the product is taken as a difference (equation 8):
//
//   (dL_train/dalpha (w + R g) - dL_train/dalpha (w - R g)) / (2 R),
//                                                        R = 0.01 / ||g||

#include "absl/status/statusor.h"
#include "fairdarts/relaxation.h"
#include "fairdarts/search_loss.h"
#include "fairdarts/sgd.h"
#include "search_space/skip_noise.h"
#include "search_space/supernet.h"

namespace fairdarts {

struct AlphaGradient {
  LossValues loss;  // on the alpha batch: at w, or at w'
  torch::Tensor normal;
  torch::Tensor reduce;
};

// The same before the host has looked at the loss.
struct AlphaGradientTensors {
  SearchLoss loss;
  torch::Tensor normal;
  torch::Tensor reduce;
};

// FirstOrderGradient() in operations that read nothing on the host.
AlphaGradientTensors FirstOrderTensors(Supernet& supernet, const Alphas& alphas,
                                       Relaxation relaxation,
                                       const Batch& alpha_batch,
                                       const SearchLossOptions& loss_options);

// One forward and one backward, which computes no gradient of a weight. A
// numbers error when the loss is not finite. The network has to be in training
// mode; its running statistics take part in the forward. Throws what torch
// throws.
absl::StatusOr<AlphaGradient> FirstOrderGradient(
    Supernet& supernet, const Alphas& alphas, Relaxation relaxation,
    const Batch& alpha_batch, const SearchLossOptions& loss_options);

// Four of each. Step xi, momentum, its buffers v and weight decay are those
// that the weights' optimiser has now. The weights are put in place for each
// pass and are afterwards, also after an error, the bits that they were; the
// running statistics move with the three forwards of the training batch, but
// not with that at w'. The forwards of the training batch, whose difference is
// taken, all see the same `noise`; that of the alpha batch sees another of its
// kind. A numbers error names a loss that is not finite.
absl::StatusOr<AlphaGradient> SecondOrderGradient(
    Supernet& supernet, const Alphas& alphas, Relaxation relaxation,
    const Batch& train_batch, const Batch& alpha_batch,
    const SearchLossOptions& loss_options, const Sgd& weight_optimizer,
    const SkipNoise& noise);

}  // namespace fairdarts

#endif  // FAIRDARTS_ALPHA_GRADIENT_H_
