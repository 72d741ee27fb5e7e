#include "ops/factorized_conv.h"

namespace fairdarts {
namespace {

constexpr int64_t kKernel = 7;
constexpr int64_t kPadding = kKernel / 2;

}  // namespace

FactorizedConv::FactorizedConv(int64_t channels, int64_t stride, bool affine)
    : row_(register_module(
          "1", torch::nn::Conv2d(
                   torch::nn::Conv2dOptions(channels, channels, {1, kKernel})
                       .stride({1, stride})
                       .padding({0, kPadding})
                       .bias(false)))),
      column_(register_module(
          "2", torch::nn::Conv2d(
                   torch::nn::Conv2dOptions(channels, channels, {kKernel, 1})
                       .stride({stride, 1})
                       .padding({kPadding, 0})
                       .bias(false)))),
      norm_(register_module("3", BatchNorm(channels, affine))) {}

torch::Tensor FactorizedConv::forward(const torch::Tensor& x) {
  return norm_->forward(column_->forward(row_->forward(torch::relu(x))));
}

}  // namespace fairdarts
