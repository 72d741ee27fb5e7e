#include "search_space/mixed_op.h"

#include "genotypes/primitive.h"
#include "ops/factory.h"

namespace fairdarts {

MixedOp::MixedOp(int64_t channels, int64_t stride) {
  torch::nn::ModuleList list;
  for (const Primitive primitive : kS1Candidates) {
    candidates_.push_back(MakeSearchOperation(primitive, channels, stride));
    list->push_back(candidates_.back());
  }
  register_module("_ops", list);
}

torch::Tensor MixedOp::AddTo(torch::Tensor sum, const torch::Tensor& x,
                             const torch::Tensor& weights) {
  const std::vector<torch::Tensor> weight = weights.unbind(0);
  for (size_t o = 0; o < candidates_.size(); ++o) {
    const torch::Tensor y = candidates_[o]->forward(x);
    // One pass over memory in place of a product and a sum.
    sum = sum.defined() ? torch::addcmul(sum, y, weight[o]) : y * weight[o];
  }
  return sum;
}

}  // namespace fairdarts
