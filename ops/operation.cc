#include "ops/operation.h"

namespace fairdarts {

torch::nn::Conv2d PointwiseConv(int64_t in_channels, int64_t out_channels) {
  return torch::nn::Conv2d(
      torch::nn::Conv2dOptions(in_channels, out_channels, 1).bias(false));
}

torch::nn::BatchNorm2d BatchNorm(int64_t channels, bool affine) {
  return torch::nn::BatchNorm2d(
      torch::nn::BatchNorm2dOptions(channels).affine(affine));
}

}  // namespace fairdarts
