#ifndef FAIRDARTS_RELAXATION_H_
#define FAIRDARTS_RELAXATION_H_

// The continuous relaxation of FairDARTS (arXiv 1911.12126): the output of
// the edge from state i to node j is a weighted sum of all candidates o,
//
//   o_ij(x) = sum_o sigmoid(alpha_ij(o)) * o(x),
//
// where DARTS takes a softmax over o. Under the sigmoid the candidates of an
// edge do not share a sum of 1, so none gains by another's loss: the
// exclusive competition, which skip connections win, becomes cooperation.

#include <cstdint>

#include "fairdarts/discretization.h"
#include "search_space/supernet.h"

namespace fairdarts {

// One logit per edge and candidate: leaf tensors [edges, candidates] that
// require gradients. Copies share the tensors; under torch::NoGradGuard a
// value is set with copy_().
struct Alphas {
  torch::Tensor normal;
  torch::Tensor reduce;
};

// Alphas of the shape that `supernet` asks for, on the device and with the
// type of its parameters, all zero: every sigmoid starts at 0.5. Throws what
// torch throws.
Alphas ZeroAlphas(const Supernet& supernet);

// sigmoid(alpha), differentiable where gradients are enabled.
EdgeWeights Relax(const Alphas& alphas);

// A matrix [edges, candidates] on any device as plain floats, for
// Discretize().
EdgeMatrix ToEdgeMatrix(const torch::Tensor& weights);

}  // namespace fairdarts

#endif  // FAIRDARTS_RELAXATION_H_
