#ifndef OPS_DIL_CONV_H_
#define OPS_DIL_CONV_H_

#include <torch/nn/modules/container/sequential.h>

#include <cstdint>

#include "ops/operation.h"

namespace fairdarts {

// dil_conv_3x3, _5x5 (DARTS, arXiv 1806.09055):
//   ReLU, depthwise kxk with dilation 2, 1x1, batch norm.
// Names: op.0 ... op.3.
class DilConv : public Operation {
 public:
  DilConv(int64_t channels, int64_t kernel, int64_t stride, bool affine);
  torch::Tensor forward(const torch::Tensor& x) override;

 private:
  torch::nn::Sequential op_;
};

}  // namespace fairdarts

#endif  // OPS_DIL_CONV_H_
