#include "ops/skip.h"

#include "fairdarts/base/check.h"

namespace fairdarts {
namespace {

// Every other row and column of x from `first` on.
torch::Tensor EveryOther(const torch::Tensor& x, int64_t first) {
  return x.slice(2, first, c10::nullopt, 2).slice(3, first, c10::nullopt, 2);
}

}  // namespace

FactorizedReduce::FactorizedReduce(int64_t in_channels, int64_t out_channels,
                                   bool affine)
    : even_(register_module("conv_1",
                            PointwiseConv(in_channels, out_channels / 2))),
      odd_(register_module("conv_2",
                           PointwiseConv(in_channels, out_channels / 2))),
      norm_(register_module("bn", BatchNorm(out_channels, affine))) {
  FD_CHECK_EQ(out_channels % 2, 0) << "output channels come in two halves";
}

torch::Tensor FactorizedReduce::forward(const torch::Tensor& x) {
  const torch::Tensor r = torch::relu(x);
  // A 1x1 convolution with stride 2 sees a quarter of its input. Taking that
  // quarter first copies less than a view from row and column 1 on would.
  torch::Tensor odd = EveryOther(r, 1);
  const int64_t missing_rows = r.size(2) % 2;
  const int64_t missing_columns = r.size(3) % 2;
  if (missing_rows != 0 || missing_columns != 0) {
    odd = torch::constant_pad_nd(odd, {0, missing_columns, 0, missing_rows});
  }
  return norm_->forward(
      torch::cat({even_->forward(EveryOther(r, 0)), odd_->forward(odd)}, 1));
}

}  // namespace fairdarts
