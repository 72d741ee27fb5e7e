#ifndef OPS_SEP_CONV_H_
#define OPS_SEP_CONV_H_

#include <torch/nn/modules/container/sequential.h>

#include <cstdint>

#include "ops/operation.h"

namespace fairdarts {

// sep_conv_3x3, _5x5, _7x7 (DARTS, arXiv 1806.09055): twice
//   ReLU, depthwise kxk, 1x1, batch norm
// with the stride in the first depthwise. Names: op.0 ... op.7.
class SepConv : public Operation {
 public:
  SepConv(int64_t channels, int64_t kernel, int64_t stride, bool affine);
  torch::Tensor forward(const torch::Tensor& x) override;

 private:
  torch::nn::Sequential op_;
};

}  // namespace fairdarts

#endif  // OPS_SEP_CONV_H_
