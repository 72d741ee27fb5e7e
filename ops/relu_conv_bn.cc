#include "ops/relu_conv_bn.h"

#include <torch/nn/modules/activation.h>

namespace fairdarts {

ReluConvBn::ReluConvBn(int64_t in_channels, int64_t out_channels, bool affine)
    : op_(register_module(
          "op", torch::nn::Sequential(torch::nn::ReLU(),
                                      PointwiseConv(in_channels, out_channels),
                                      BatchNorm(out_channels, affine)))) {}

torch::Tensor ReluConvBn::forward(const torch::Tensor& x) {
  return op_->forward(x);
}

}  // namespace fairdarts
