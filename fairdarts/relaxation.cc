#include "fairdarts/relaxation.h"

#include <vector>

#include "fairdarts/base/check.h"

namespace fairdarts {

Alphas ZeroAlphas(const Supernet& supernet) {
  const std::vector<torch::Tensor> parameters = supernet.parameters();
  const torch::TensorOptions options = parameters.empty()
                                           ? torch::TensorOptions(torch::kFloat)
                                           : parameters.front().options();
  const auto zeros = [&] {
    return torch::zeros({supernet.edges(), supernet.candidates()},
                        options.requires_grad(true));
  };
  return {zeros(), zeros()};
}

EdgeWeights Relax(const Alphas& alphas) {
  return {torch::sigmoid(alphas.normal), torch::sigmoid(alphas.reduce)};
}

EdgeMatrix ToEdgeMatrix(const torch::Tensor& weights) {
  FD_CHECK_EQ(weights.dim(), 2);
  const torch::Tensor plain =
      weights.detach().to(torch::kCPU, torch::kFloat).contiguous();
  const float* const data = plain.data_ptr<float>();
  return {static_cast<int>(plain.size(0)), static_cast<int>(plain.size(1)),
          std::vector<float>(data, data + plain.numel())};
}

}  // namespace fairdarts
