#include "ops/sep_conv.h"

#include <torch/nn/modules/activation.h>

#include "ops/depthwise_conv.h"

namespace fairdarts {

SepConv::SepConv(int64_t channels, int64_t kernel, int64_t stride, bool affine)
    : op_(register_module(
          "op",
          torch::nn::Sequential(
              torch::nn::ReLU(), DepthwiseConv(channels, kernel, stride, 1),
              PointwiseConv(channels, channels), BatchNorm(channels, affine),
              // In place: batch norm keeps its input, not its output.
              torch::nn::ReLU(torch::nn::ReLUOptions(/*inplace=*/true)),
              DepthwiseConv(channels, kernel, 1, 1),
              PointwiseConv(channels, channels),
              BatchNorm(channels, affine)))) {}

torch::Tensor SepConv::forward(const torch::Tensor& x) {
  return op_->forward(x);
}

}  // namespace fairdarts
