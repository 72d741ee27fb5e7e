#include "fairdarts/relaxation.h"

#include <vector>

#include "fairdarts/base/check.h"
#include "fairdarts/base/random.h"

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

void DrawAlphas(double deviation, uint64_t seed, const Alphas& alphas) {
  const torch::NoGradGuard no_grad;
  RandomStream stream("search/alphas", {seed});
  for (const torch::Tensor& matrix : {alphas.normal, alphas.reduce}) {
    std::vector<double> values(matrix.numel());
    for (double& value : values) value = deviation * stream.Normal();
    matrix.copy_(torch::tensor(values, torch::kDouble).view(matrix.sizes()));
  }
}

EdgeWeights Relax(const Alphas& alphas, Relaxation relaxation) {
  const auto relax = [&](const torch::Tensor& matrix) {
    return relaxation == Relaxation::kSoftmax ? torch::softmax(matrix, 1)
                                              : torch::sigmoid(matrix);
  };
  return {relax(alphas.normal), relax(alphas.reduce)};
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
