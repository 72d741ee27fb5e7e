#ifndef OPS_SKIP_H_
#define OPS_SKIP_H_

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>

#include <cstdint>

#include "ops/operation.h"

namespace fairdarts {

// skip_connect at stride 1: the input itself, no copy. No parameters.
class Identity : public Operation {
 public:
  torch::Tensor forward(const torch::Tensor& x) override { return x; }
};

// skip_connect at stride 2, and a cell's input behind a reduction cell (DARTS,
// arXiv 1806.09055): with r = ReLU(x),
//   batch norm(concat(1x1 of r[0::2, 0::2], 1x1 of r[1::2, 1::2])),
// each half of the output channels. Names: conv_1, conv_2, bn.
//
// An odd height or width has one row or column less in the second half; a zero
// row or column behind the input makes the halves agree, and the output has
// ceil(H/2) as those of convolutions and pools.
class FactorizedReduce : public Operation {
 public:
  // Needs an even number of output channels.
  FactorizedReduce(int64_t in_channels, int64_t out_channels, bool affine);
  torch::Tensor forward(const torch::Tensor& x) override;

 private:
  torch::nn::Conv2d even_;
  torch::nn::Conv2d odd_;
  torch::nn::BatchNorm2d norm_;
};

}  // namespace fairdarts

#endif  // OPS_SKIP_H_
