#include "ops/depthwise_conv.h"

#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <tuple>

namespace fairdarts {
namespace {

using ::torch::autograd::AutogradContext;
using ::torch::autograd::variable_list;

// A depthwise convolution of stride 1.
torch::Tensor Convolve(const torch::Tensor& x, const torch::Tensor& weight,
                       int64_t dilation) {
  const int64_t padding = dilation * (weight.size(2) - 1) / 2;
  return at::conv2d(x, weight, /*bias=*/{}, /*stride=*/1, padding, dilation,
                    /*groups=*/weight.size(0));
}

class SameSizeDepthwise : public torch::autograd::Function<SameSizeDepthwise> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& weight, int64_t dilation) {
    context->save_for_backward({x, weight});
    context->saved_data["dilation"] = dilation;
    return Convolve(x, weight, dilation);
  }

  static variable_list backward(AutogradContext* context,
                                variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const torch::Tensor& x = saved[0];
    const torch::Tensor& weight = saved[1];
    const int64_t dilation = context->saved_data["dilation"].toInt();
    const torch::Tensor& dy = gradients[0];
    torch::Tensor dx;
    if (context->needs_input_grad(0)) {
      dx = Convolve(dy, weight.flip({2, 3}), dilation);
    }
    torch::Tensor dweight;
    if (context->needs_input_grad(1)) {
      const int64_t padding = dilation * (weight.size(2) - 1) / 2;
      dweight = std::get<1>(at::convolution_backward(
          dy, x, weight, /*bias_sizes=*/c10::nullopt, /*stride=*/{1, 1},
          {padding, padding}, {dilation, dilation}, /*transposed=*/false,
          /*output_padding=*/{0, 0}, /*groups=*/weight.size(0),
          /*output_mask=*/{false, true, false}));
    }
    return {dx, dweight, torch::Tensor()};
  }
};

}  // namespace

DepthwiseConvImpl::DepthwiseConvImpl(int64_t channels, int64_t kernel,
                                     int64_t stride, int64_t dilation)
    : torch::nn::Conv2dImpl(torch::nn::Conv2dOptions(channels, channels, kernel)
                                .stride(stride)
                                .padding(dilation * (kernel - 1) / 2)
                                .dilation(dilation)
                                .groups(channels)
                                .bias(false)) {}

torch::Tensor DepthwiseConvImpl::forward(const torch::Tensor& x) {
  if (options.stride()->front() != 1 || !at::GradMode::is_enabled()) {
    return torch::nn::Conv2dImpl::forward(x);
  }
  // Inside an autograd function autocast would reach the forward alone; cast
  // out here, forward and backward see one type.
  const c10::DeviceType device = x.device().type();
  if (at::autocast::is_autocast_enabled(device)) {
    const at::ScalarType type = at::autocast::get_autocast_dtype(device);
    return SameSizeDepthwise::apply(x.to(type), weight.to(type),
                                    options.dilation()->front());
  }
  return SameSizeDepthwise::apply(x, weight, options.dilation()->front());
}

}  // namespace fairdarts
