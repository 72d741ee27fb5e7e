#ifndef FAIRDARTS_RELAXATION_H_
#define FAIRDARTS_RELAXATION_H_

// The continuous relaxation: the output of the edge from state i to node j is
// a weighted sum of all candidates o. In DARTS (arXiv 1806.09055, equation 2)
//
//   o_ij(x) = sum_o exp(alpha_ij(o)) / (sum_p exp(alpha_ij(p))) * o(x),
//
// in FairDARTS (arXiv 1911.12126)
//
//   o_ij(x) = sum_o sigmoid(alpha_ij(o)) * o(x).
//
// Under the sigmoid the candidates of an edge do not share a sum of 1, so none
// gains by another's loss: the exclusive competition, which skip connections
// win, becomes cooperation.

#include <cstdint>

#include "fairdarts/discretization.h"
#include "search_space/supernet.h"

namespace fairdarts {

enum class Relaxation {
  kSigmoid,  // FairDARTS
  kSoftmax,  // DARTS
};

// One logit per edge and candidate: leaf tensors [edges, candidates] that
// require gradients. Copies share the tensors; under torch::NoGradGuard a
// value is set with copy_().
struct Alphas {
  torch::Tensor normal;
  torch::Tensor reduce;
};

// Alphas of the shape that `supernet` asks for, on the device and with the
// type of its parameters, all zero: all candidates of an edge are equal, every
// sigmoid is 0.5. Throws what torch throws.
Alphas ZeroAlphas(const Supernet& supernet);

// Sets the alphas to `deviation` times standard normal numbers, a function of
// the seed: DARTS starts from 1e-3 of them, so that no tie is left to the order
// of the candidates.
void DrawAlphas(double deviation, uint64_t seed, const Alphas& alphas);

// Differentiable where gradients are enabled.
EdgeWeights Relax(const Alphas& alphas, Relaxation relaxation);

// A matrix [edges, candidates] on any device as plain floats, for
// Discretize().
EdgeMatrix ToEdgeMatrix(const torch::Tensor& weights);

}  // namespace fairdarts

#endif  // FAIRDARTS_RELAXATION_H_
