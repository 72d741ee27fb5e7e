#include "search_space/initialization.h"

#include <gmock/gmock.h>
#include <torch/torch.h>

#include <cmath>
#include <string>

namespace fairdarts {
namespace {

// A convolution with fan-in 8 * 9, a grouped one with fan-in 9, batch norm and
// a linear layer with fan-in 64.
torch::nn::Sequential Network() {
  return torch::nn::Sequential(
      torch::nn::Conv2d(torch::nn::Conv2dOptions(8, 64, 3).bias(false)),
      torch::nn::Conv2d(
          torch::nn::Conv2dOptions(64, 64, 3).groups(64).bias(false)),
      torch::nn::BatchNorm2d(64), torch::nn::Linear(64, 100));
}

// Uniform in [-bound, bound): within it, close to its ends, and mean and mean
// square within 5 standard deviations (the stream is fixed).
void ExpectUniform(const torch::Tensor& tensor, double bound) {
  const torch::Tensor values = tensor.detach().to(torch::kDouble);
  const double n = static_cast<double>(values.numel());
  // The bound itself is rounded to float32.
  EXPECT_LE(values.abs().max().item<double>(), bound * (1 + 1e-6));
  EXPECT_GE(values.abs().max().item<double>(), bound * (1 - 10 / n));
  EXPECT_LT(std::abs(values.mean().item<double>()),
            5 * bound / std::sqrt(3 * n));
  EXPECT_LT(std::abs(values.square().mean().item<double>() / (bound * bound) -
                     1.0 / 3),
            5 * std::sqrt(4.0 / 45 / n));
}

TEST(InitializationTest, HasPyTorchsDefaultDistributions) {
  torch::nn::Sequential net = Network();
  InitializeParameters(*net, 2);
  const auto parameters = net->named_parameters();
  ExpectUniform(parameters["0.weight"], 1 / std::sqrt(72.0));
  ExpectUniform(parameters["1.weight"], 1 / std::sqrt(9.0));
  ExpectUniform(parameters["3.weight"], 1 / std::sqrt(64.0));
  ExpectUniform(parameters["3.bias"], 1 / std::sqrt(64.0));
  EXPECT_TRUE(parameters["2.weight"].equal(torch::ones({64})));
  EXPECT_TRUE(parameters["2.bias"].equal(torch::zeros({64})));
}

TEST(InitializationTest, DependsOnTheSeedAndTheNameAlone) {
  torch::manual_seed(1);
  torch::nn::Sequential a = Network();
  InitializeParameters(*a, 2);
  torch::manual_seed(77);
  torch::nn::Sequential b = Network();
  InitializeParameters(*b, 2);
  torch::nn::Sequential c = Network();
  InitializeParameters(*c, 3);
  for (const auto& parameter : a->named_parameters()) {
    const std::string& name = parameter.key();
    EXPECT_TRUE(parameter.value().equal(b->named_parameters()[name])) << name;
    if (name[0] != '2') {
      EXPECT_FALSE(parameter.value().equal(c->named_parameters()[name]))
          << name;
    }
  }
  torch::nn::Sequential twins(torch::nn::Linear(4, 4), torch::nn::Linear(4, 4));
  InitializeParameters(*twins, 2);
  EXPECT_FALSE(twins->named_parameters()["0.weight"].equal(
      twins->named_parameters()["1.weight"]));
}

}  // namespace
}  // namespace fairdarts
