// Against torch's own optimiser behind its own clipping.

#include "fairdarts/sgd.h"

#include <gtest/gtest.h>
#include <torch/nn/utils/clip_grad.h>

#include <limits>
#include <utility>
#include <vector>

#include "tests/tensor_near.h"

namespace fairdarts {
namespace {

constexpr int kSteps = 4;
// Five roundings a step of numbers below 8, which the momentum carries into all
// steps that follow; times the rounding of one.
constexpr double kRoundings = 8 * 5 * kSteps * kSteps;
// The elements whose squares are summed for the norm, relative to which it is
// off.
constexpr double kElements = 400;

// Sizes around the vectors of the norm.
std::vector<torch::Tensor> Parameters(torch::ScalarType type) {
  torch::manual_seed(3);
  std::vector<torch::Tensor> parameters;
  for (const int64_t size : {1, 15, 16, 17, 130}) {
    parameters.push_back(torch::randn({size}, type));
  }
  // Laid out otherwise, and with gaps.
  parameters.push_back(torch::randn({6, 7}, type).slice(1, 0, 7, 2));
  parameters.push_back(torch::randn({3, 4, 5, 2}, type)
                           .contiguous(torch::MemoryFormat::ChannelsLast));
  for (torch::Tensor& parameter : parameters) parameter.requires_grad_();
  return parameters;
}

void SetGradients(std::vector<torch::Tensor>& parameters, int step) {
  for (size_t i = 0; i < parameters.size(); ++i) {
    torch::manual_seed(100 * step + i);
    // Row-major, whatever the parameter is.
    parameters[i].mutable_grad() =
        torch::randn(parameters[i].sizes(), parameters[i].options());
  }
}

torch::optim::SGDOptions Options() {
  return torch::optim::SGDOptions(0.1).momentum(0.9).weight_decay(0.01);
}

class SgdTest : public testing::TestWithParam<double> {};

TEST_P(SgdTest, StepsAsTorchDoes) {
  for (const auto& [type, rounding] : {std::pair(torch::kDouble, 0x1p-53),
                                       std::pair(torch::kFloat, 0x1p-24)}) {
    std::vector<torch::Tensor> expected = Parameters(type);
    std::vector<torch::Tensor> actual = Parameters(type);
    torch::optim::SGD torch_sgd(expected, Options());
    Sgd sgd(actual, Options());
    for (int step = 0; step < kSteps; ++step) {
      SetGradients(expected, step);
      SetGradients(actual, step);
      if (step == 2) {
        // One that this step does not reach, and another rate.
        expected[1].mutable_grad().reset();
        actual[1].mutable_grad().reset();
        torch_sgd.param_groups()[0].options().set_lr(0.05);
        sgd.param_groups()[0].options().set_lr(0.05);
      }
      const double norm =
          torch::nn::utils::clip_grad_norm_(expected, GetParam());
      torch_sgd.step();
      EXPECT_NEAR(sgd.GradientNorm(), norm, kElements * rounding * norm);
      sgd.ClippedStep(sgd.GradientNorm(), GetParam());
      for (size_t i = 0; i < expected.size(); ++i) {
        EXPECT_THAT(actual[i].detach(), TensorNear(expected[i].detach(),
                                                   {kRoundings * rounding, 0}))
            << "step " << step << ", parameter " << i;
      }
    }
  }
}

TEST_P(SgdTest, StepsTheSameWithoutReadingOnTheHost) {
  for (const auto& [type, rounding] : {std::pair(torch::kDouble, 0x1p-53),
                                       std::pair(torch::kFloat, 0x1p-24)}) {
    std::vector<torch::Tensor> expected = Parameters(type);
    std::vector<torch::Tensor> actual = Parameters(type);
    Sgd on_host(expected, Options());
    Sgd on_device(actual, Options());
    for (int step = 0; step < kSteps; ++step) {
      SetGradients(expected, step);
      SetGradients(actual, step);
      if (step == 2) {
        expected[1].mutable_grad().reset();
        actual[1].mutable_grad().reset();
      }
      const double rate = 0.1 / (1 + step);
      on_host.param_groups()[0].options().set_lr(rate);
      const double norm = on_host.GradientNorm();
      on_host.ClippedStep(norm, GetParam());
      const torch::Tensor norm_tensor = on_device.NormTensor();
      EXPECT_NEAR(norm_tensor.item<double>(), norm,
                  kElements * rounding * norm);
      on_device.ClippedStep(norm_tensor, GetParam(),
                            torch::tensor(rate, torch::kDouble));
      for (size_t i = 0; i < expected.size(); ++i) {
        EXPECT_THAT(actual[i].detach(), TensorNear(expected[i].detach(),
                                                   {kRoundings * rounding, 0}))
            << "step " << step << ", parameter " << i;
      }
    }
  }
}

// Far below and far above the norm, about 17.
INSTANTIATE_TEST_SUITE_P(Clip, SgdTest, testing::Values(0.5, 1e6));

TEST(SgdNormTest, IsNotFiniteWhereAGradientIsNot) {
  std::vector<torch::Tensor> parameters = Parameters(torch::kFloat);
  Sgd sgd(parameters, Options());
  for (const double value : {std::numeric_limits<double>::infinity(),
                             std::numeric_limits<double>::quiet_NaN()}) {
    SetGradients(parameters, 0);
    parameters[3].mutable_grad()[16] = value;
    EXPECT_FALSE(std::isfinite(sgd.GradientNorm()));
  }
}

}  // namespace
}  // namespace fairdarts
