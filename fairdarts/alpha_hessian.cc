#include "fairdarts/alpha_hessian.h"

#include <algorithm>

#include "ops/torch_status.h"

namespace fairdarts {
namespace {

using ::torch::autograd::variable_list;

torch::Tensor Flat(const variable_list& gradients) {
  return torch::cat({gradients[0].flatten(), gradients[1].flatten()});
}

class ModeGuard {
 public:
  explicit ModeGuard(Supernet& supernet)
      : supernet_(supernet), training_(supernet.is_training()) {}
  ~ModeGuard() { supernet_.train(training_); }
  ModeGuard(const ModeGuard&) = delete;
  ModeGuard& operator=(const ModeGuard&) = delete;

 private:
  Supernet& supernet_;
  const bool training_;
};

}  // namespace

AlphaHessian::AlphaHessian(Supernet& supernet, const Alphas& alphas,
                           Relaxation relaxation, const Batch& batch)
    : supernet_(supernet),
      alphas_(alphas),
      relaxation_(relaxation),
      batch_(batch) {
  supernet_.eval();
}

Vector AlphaHessian::Times(const Vector& v) const {
  const variable_list inputs = {alphas_.normal, alphas_.reduce};
  const torch::Tensor along =
      torch::tensor(v, torch::TensorOptions(alphas_.normal.scalar_type())
                           .device(alphas_.normal.device()));
  const int64_t images = batch_.images.size(0);
  torch::Tensor sum;
  for (int64_t begin = 0; begin < images; begin += kPartImages) {
    const int64_t end = std::min(begin + kPartImages, images);
    const torch::Tensor loss = torch::nn::functional::cross_entropy(
        supernet_.Forward(batch_.images.slice(0, begin, end),
                          Relax(alphas_, relaxation_)),
        batch_.labels.slice(0, begin, end));
    const torch::Tensor gradient = Flat(torch::autograd::grad(
        {loss}, inputs, /*grad_outputs=*/{}, /*retain_graph=*/true,
        /*create_graph=*/true));
    const double share = static_cast<double>(end - begin) / images;
    const torch::Tensor product =
        share * Flat(torch::autograd::grad({gradient}, inputs, {along}));
    sum = sum.defined() ? sum + product : product;
  }
  const torch::Tensor plain = sum.to(torch::kCPU, torch::kDouble).contiguous();
  const double* const values = plain.const_data_ptr<double>();
  return Vector(values, values + plain.numel());
}

absl::StatusOr<LargestEigenvalue> LargestAlphaEigenvalue(
    Supernet& supernet, const Alphas& alphas, Relaxation relaxation,
    const Batch& batch, const PowerIterationOptions& options) {
  const ModeGuard guard(supernet);
  return CatchTorch([&]() -> absl::StatusOr<LargestEigenvalue> {
    const AlphaHessian hessian(supernet, alphas, relaxation, batch);
    return FindLargestEigenvalue(
        hessian.size(), options,
        [&](const Vector& v) -> absl::StatusOr<Vector> {
          return hessian.Times(v);
        });
  });
}

}  // namespace fairdarts
