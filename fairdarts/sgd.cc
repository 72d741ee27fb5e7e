#include "fairdarts/sgd.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "fairdarts/base/check.h"

namespace fairdarts {
namespace {

using ::torch::optim::SGDOptions;
using ::torch::optim::SGDParamState;

// What clip_grad_norm_ adds to the norm.
constexpr double kNormOffset = 1e-6;

template <typename T>
double SumOfSquares(const T* values, int64_t size) {
  // Side by side, so that they fit into vectors.
  std::array<double, 16> sums = {};
  const int64_t lanes = static_cast<int64_t>(sums.size());
  int64_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    for (int64_t j = 0; j < lanes; ++j) {
      const double value = values[i + j];
      sums[j] += value * value;
    }
  }
  double sum = 0;
  for (; i < size; ++i) sum += double{values[i]} * values[i];
  for (const double part : sums) sum += part;
  return sum;
}

template <typename T>
void Move(const T* gradient, int64_t size, T scale, const SGDOptions& options,
          T* momentum_buffer, T* parameter) {
  const T momentum = static_cast<T>(options.momentum());
  const T weight_decay = static_cast<T>(options.weight_decay());
  const T rate = static_cast<T>(options.lr());
  for (int64_t i = 0; i < size; ++i) {
    momentum_buffer[i] = momentum * momentum_buffer[i] +
                         (scale * gradient[i] + weight_decay * parameter[i]);
    parameter[i] -= rate * momentum_buffer[i];
  }
}

// What the loops above take; for everything else there are torch's operations.
bool LiesDense(const torch::Tensor& tensor) {
  return tensor.device().is_cpu() && tensor.is_non_overlapping_and_dense();
}

// Elements in the order in which `like` has them in memory.
torch::Tensor LaidOutAs(const torch::Tensor& like,
                        const torch::Tensor& tensor) {
  if (tensor.strides() == like.strides() ||
      (tensor.is_contiguous() && like.is_contiguous())) {
    return tensor;
  }
  return torch::empty_like(like).copy_(tensor);
}

}  // namespace

Sgd::Sgd(std::vector<torch::Tensor> parameters, const SGDOptions& options)
    : SGD(std::move(parameters), options) {
  FD_CHECK(options.dampening() == 0 && !options.nesterov());
}

double Sgd::GradientNorm() const {
  const torch::NoGradGuard no_grad;
  double sum = 0;
  std::vector<torch::Tensor> others;
  for (const auto& group : param_groups()) {
    for (const torch::Tensor& parameter : group.params()) {
      if (!parameter.grad().defined()) continue;
      if (!LiesDense(parameter)) {
        others.push_back(parameter.grad().norm());
        continue;
      }
      const torch::Tensor gradient = LaidOutAs(parameter, parameter.grad());
      AT_DISPATCH_FLOATING_TYPES(gradient.scalar_type(), "gradient norm", [&] {
        sum +=
            SumOfSquares(gradient.const_data_ptr<scalar_t>(), gradient.numel());
      });
    }
  }
  if (!others.empty()) {
    // The device is waited for once.
    sum += torch::stack(others).square().sum().item<double>();
  }
  return std::sqrt(sum);
}

void Sgd::ClippedStep(double norm, double largest) {
  const torch::NoGradGuard no_grad;
  const double scale = std::min(1.0, largest / (norm + kNormOffset));
  for (auto& group : param_groups()) {
    const auto& options = static_cast<const SGDOptions&>(group.options());
    for (torch::Tensor& parameter : group.params()) {
      if (!parameter.grad().defined()) continue;
      torch::Tensor buffer = MomentumOf(parameter);
      if (!LiesDense(parameter)) {
        buffer.mul_(options.momentum())
            .add_(parameter.grad(), scale)
            .add_(parameter, options.weight_decay());
        parameter.add_(buffer, -options.lr());
        continue;
      }
      const torch::Tensor gradient = LaidOutAs(parameter, parameter.grad());
      buffer = LaidOutAs(parameter, buffer);
      static_cast<SGDParamState&>(*state()[parameter.unsafeGetTensorImpl()])
          .momentum_buffer(buffer);
      AT_DISPATCH_FLOATING_TYPES(parameter.scalar_type(), "sgd", [&] {
        Move(gradient.const_data_ptr<scalar_t>(), parameter.numel(),
             static_cast<scalar_t>(scale), options,
             buffer.mutable_data_ptr<scalar_t>(),
             parameter.mutable_data_ptr<scalar_t>());
      });
      parameter.unsafeGetTensorImpl()->bump_version();
    }
  }
}

torch::Tensor Sgd::MomentumOf(const torch::Tensor& parameter) {
  auto& state = this->state()[parameter.unsafeGetTensorImpl()];
  if (state == nullptr) {
    auto fresh = std::make_unique<SGDParamState>();
    fresh->momentum_buffer(torch::zeros_like(parameter));
    state = std::move(fresh);
  }
  return static_cast<SGDParamState&>(*state).momentum_buffer();
}

torch::Tensor Sgd::NormTensor() const {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> gradients;
  for (const auto& group : param_groups()) {
    for (const torch::Tensor& parameter : group.params()) {
      if (parameter.grad().defined()) gradients.push_back(parameter.grad());
    }
  }
  return torch::stack(at::_foreach_norm(gradients))
      .to(torch::kDouble)
      .square()
      .sum()
      .sqrt();
}

void Sgd::ClippedStep(const torch::Tensor& norm, double largest,
                      const torch::Tensor& rate) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor scale = (largest / (norm + kNormOffset)).clamp_max(1);
  for (auto& group : param_groups()) {
    const auto& options = static_cast<const SGDOptions&>(group.options());
    std::vector<torch::Tensor> parameters;
    std::vector<torch::Tensor> gradients;
    std::vector<torch::Tensor> buffers;
    for (const torch::Tensor& parameter : group.params()) {
      if (!parameter.grad().defined()) continue;
      parameters.push_back(parameter);
      gradients.push_back(parameter.grad());
      buffers.push_back(MomentumOf(parameter));
    }
    if (parameters.empty()) continue;
    const at::ScalarType type = parameters[0].scalar_type();
    at::_foreach_mul_(buffers, options.momentum());
    at::_foreach_add_(buffers, at::_foreach_mul(gradients, scale.to(type)));
    at::_foreach_add_(buffers, parameters, options.weight_decay());
    at::_foreach_sub_(parameters, at::_foreach_mul(buffers, rate.to(type)));
  }
}

}  // namespace fairdarts
