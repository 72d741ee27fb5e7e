#ifndef OPS_OPERATION_H_
#define OPS_OPERATION_H_

// What every operation of a cell is, and the layers that they are made of.

#include <torch/nn/module.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>

#include <cstdint>

namespace fairdarts {

// Whether batch norm has a weight and a bias of its own.
inline constexpr bool kAffine = true;
inline constexpr bool kNotAffine = false;

// Maps images [N, C, H, W] float to [N, C', ceil(H/stride), ceil(W/stride)],
// for every H and W from 1 on. Never writes into its input; takes contiguous
// and channels_last alike and answers in the same memory format. Errors inside
// are torch's exceptions (see torch_status.h). Names of parameters and buffers
// are upstream's. Not thread-safe: in training batch norm's running statistics
// move with each call.
class Operation : public torch::nn::Module {
 public:
  virtual torch::Tensor forward(const torch::Tensor& x) = 0;
};

// A 1x1 convolution. No bias.
torch::nn::Conv2d PointwiseConv(int64_t in_channels, int64_t out_channels);

torch::nn::BatchNorm2d BatchNorm(int64_t channels, bool affine);

}  // namespace fairdarts

#endif  // OPS_OPERATION_H_
