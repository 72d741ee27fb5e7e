#include "search_space/initialization.h"

#include <torch/torch.h>

#include <cmath>
#include <string>

#include "fairdarts/base/random.h"

namespace fairdarts {
namespace {

void FillUniform(torch::Tensor tensor, float bound, const std::string& name,
                 uint64_t seed) {
  RandomStream stream("initialize/" + name, {seed});
  const torch::Tensor values = torch::empty(tensor.sizes(), torch::kFloat32);
  float* out = values.mutable_data_ptr<float>();
  for (int64_t i = 0; i < values.numel(); ++i) {
    out[i] = bound * (2 * stream.Uniform() - 1);
  }
  tensor.copy_(values);
}

}  // namespace

void InitializeParameters(torch::nn::Module& module, uint64_t seed) {
  const torch::NoGradGuard no_gradients;
  for (const auto& item : module.named_modules()) {
    const auto& layer = item.value();
    if (layer->as<torch::nn::Conv2d>() == nullptr &&
        layer->as<torch::nn::Linear>() == nullptr) {
      continue;
    }
    auto parameters = layer->named_parameters(/*recurse=*/false);
    const torch::Tensor& weight = parameters["weight"];
    const float bound =
        1 / std::sqrt(static_cast<float>(weight.numel() / weight.size(0)));
    for (const auto& parameter : parameters) {
      FillUniform(parameter.value(), bound, item.key() + "." + parameter.key(),
                  seed);
    }
  }
}

}  // namespace fairdarts
