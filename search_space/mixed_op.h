#ifndef SEARCH_SPACE_MIXED_OP_H_
#define SEARCH_SPACE_MIXED_OP_H_

// One edge of a search cell: all its candidates at once.

#include <torch/torch.h>

#include <memory>
#include <vector>

#include "ops/operation.h"
#include "search_space/engine/edge_noise.h"

namespace fairdarts {

// Adds to a sum over the edges of a node
//   sum_o weights[o] * o(x)
// over the seven candidates of S1 (DARTS, arXiv 1806.09055, equation 2).
//
// Batch norm in and behind the candidates has no affine parameters: they
// would rescale what the weights are there to scale. State-dict names are
// upstream's: _ops.0 ... _ops.6.
class MixedOp : public torch::nn::Module {
 public:
  MixedOp(int64_t channels, int64_t stride);

  // x [N, C, H, W]; weights [7]; `sum` [N, C, ceil(H/stride), ceil(W/stride)]
  // or undefined for zero. Returns a new tensor. `noise` is added to what
  // skip_connect gives at stride 1.
  torch::Tensor AddTo(torch::Tensor sum, const torch::Tensor& x,
                      const torch::Tensor& weights, const EdgeNoise& noise);

 private:
  const int64_t stride_;
  std::vector<std::shared_ptr<Operation>> candidates_;
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_MIXED_OP_H_
