#include "search_space/mixed_op.h"

#include "genotypes/primitive.h"
#include "ops/factory.h"

namespace fairdarts {
namespace {

torch::Tensor NoiseLike(const torch::Tensor& x, const EdgeNoise& noise) {
  torch::Tensor values = torch::empty(x.sizes(), torch::kFloat);
  const auto size = [&](int dimension) {
    return static_cast<int>(x.size(dimension));
  };
  FillNoise(noise, {size(0), size(1), size(2), size(3)},
            values.mutable_data_ptr<float>());
  return values.to(x.options());
}

}  // namespace

MixedOp::MixedOp(int64_t channels, int64_t stride) : stride_(stride) {
  torch::nn::ModuleList list;
  for (const Primitive primitive : kS1Candidates) {
    candidates_.push_back(MakeSearchOperation(primitive, channels, stride));
    list->push_back(candidates_.back());
  }
  register_module("_ops", list);
}

torch::Tensor MixedOp::AddTo(torch::Tensor sum, const torch::Tensor& x,
                             const torch::Tensor& weights,
                             const EdgeNoise& noise) {
  const std::vector<torch::Tensor> weight = weights.unbind(0);
  for (size_t o = 0; o < candidates_.size(); ++o) {
    torch::Tensor y = candidates_[o]->forward(x);
    if (kS1Candidates[o] == Primitive::kSkipConnect && stride_ == 1 &&
        noise.on()) {
      y = y + NoiseLike(y, noise);
    }
    // In the candidate's type: autocast would take a product with a float32
    // weight, and the sum, back to float32.
    const torch::Tensor w = weight[o].to(y.scalar_type());
    // One pass over memory in place of a product and a sum.
    sum = sum.defined() ? torch::addcmul(sum, y, w) : y * w;
  }
  return sum;
}

}  // namespace fairdarts
