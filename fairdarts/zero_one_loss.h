#ifndef FAIRDARTS_ZERO_ONE_LOSS_H_
#define FAIRDARTS_ZERO_ONE_LOSS_H_

// The zero-one loss of FairDARTS (arXiv 1911.12126). Relaxed weights that end
// a search at 0.6 make the network without them a different network; the loss
// pushes each towards 0 or 1, so that discretising changes little:
//
//   L2 form: L_01  = -1/N sum_i (sigmoid(alpha_i) - 0.5)^2   in [-0.25, 0]
//   L1 form: L'_01 = -1/N sum_i |sigmoid(alpha_i) - 0.5|     in [-0.5, 0]
//
// over all N alphas of both cells. It is weighted (by 10 in the paper's
// search) and added to the cross-entropy. With s = sigmoid(alpha), the
// gradients are -2/N (s - 0.5) s (1 - s) and -1/N sign(s - 0.5) s (1 - s).
// The first vanishes at alpha = 0 and is largest between: an alpha
// near 0 is left to the cross-entropy, which the L1 form overrules at once;
// its subgradient at 0 itself is 0.

#include "search_space/supernet.h"

namespace fairdarts {

enum class ZeroOneForm { kL2, kL1 };

// The loss of relaxed weights, unweighted: a scalar.
torch::Tensor ZeroOneLoss(const EdgeWeights& weights, ZeroOneForm form);

}  // namespace fairdarts

#endif  // FAIRDARTS_ZERO_ONE_LOSS_H_
