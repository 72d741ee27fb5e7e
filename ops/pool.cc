#include "ops/pool.h"

namespace fairdarts {
namespace {

constexpr int64_t kWindow = 3;
constexpr int64_t kPadding = 1;

}  // namespace

torch::Tensor Pool::forward(const torch::Tensor& x) {
  if (kind_ == PoolKind::kMax) {
    return torch::max_pool2d(x, kWindow, stride_, kPadding);
  }
  return torch::avg_pool2d(x, kWindow, stride_, kPadding, /*ceil_mode=*/false,
                           /*count_include_pad=*/false);
}

NormalizedPool::NormalizedPool(PoolKind kind, int64_t channels, int64_t stride)
    : pool_(register_module("0", std::make_shared<Pool>(kind, stride))),
      norm_(register_module("1", BatchNorm(channels, kNotAffine))) {}

torch::Tensor NormalizedPool::forward(const torch::Tensor& x) {
  return norm_->forward(pool_->forward(x));
}

}  // namespace fairdarts
