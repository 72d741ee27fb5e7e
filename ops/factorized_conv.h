#ifndef OPS_FACTORIZED_CONV_H_
#define OPS_FACTORIZED_CONV_H_

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>

#include <cstdint>

#include "ops/operation.h"

namespace fairdarts {

// conv_7x1_1x7 (NASNet, arXiv 1707.07012):
//   ReLU, 1x7 with stride (1, s), 7x1 with stride (s, 1), batch norm,
// all channels to all channels. Names: 1, 2, 3 (0 is the ReLU).
class FactorizedConv : public Operation {
 public:
  FactorizedConv(int64_t channels, int64_t stride, bool affine);
  torch::Tensor forward(const torch::Tensor& x) override;

 private:
  torch::nn::Conv2d row_;
  torch::nn::Conv2d column_;
  torch::nn::BatchNorm2d norm_;
};

}  // namespace fairdarts

#endif  // OPS_FACTORIZED_CONV_H_
