#ifndef OPS_RELU_CONV_BN_H_
#define OPS_RELU_CONV_BN_H_

#include <torch/nn/modules/container/sequential.h>

#include <cstdint>

#include "ops/operation.h"

namespace fairdarts {

// ReLU, 1x1, batch norm: brings a cell's input to the cell's channels.
// Names: op.0 ... op.2.
class ReluConvBn : public Operation {
 public:
  ReluConvBn(int64_t in_channels, int64_t out_channels, bool affine);
  torch::Tensor forward(const torch::Tensor& x) override;

 private:
  torch::nn::Sequential op_;
};

}  // namespace fairdarts

#endif  // OPS_RELU_CONV_BN_H_
