#include "ops/dil_conv.h"

#include <torch/nn/modules/activation.h>

#include "ops/depthwise_conv.h"

namespace fairdarts {
namespace {

constexpr int64_t kDilation = 2;

}  // namespace

DilConv::DilConv(int64_t channels, int64_t kernel, int64_t stride, bool affine)
    : op_(register_module(
          "op", torch::nn::Sequential(
                    torch::nn::ReLU(),
                    DepthwiseConv(channels, kernel, stride, kDilation),
                    PointwiseConv(channels, channels),
                    BatchNorm(channels, affine)))) {}

torch::Tensor DilConv::forward(const torch::Tensor& x) {
  return op_->forward(x);
}

}  // namespace fairdarts
