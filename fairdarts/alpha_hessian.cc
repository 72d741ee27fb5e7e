#include "fairdarts/alpha_hessian.h"

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
    : alphas_(alphas) {
  supernet.eval();
  const torch::Tensor loss = torch::nn::functional::cross_entropy(
      supernet.Forward(batch.images, Relax(alphas, relaxation)), batch.labels);
  gradient_ = Flat(torch::autograd::grad(
      {loss}, {alphas_.normal, alphas_.reduce}, /*grad_outputs=*/{},
      /*retain_graph=*/true, /*create_graph=*/true));
}

Vector AlphaHessian::Times(const Vector& v) const {
  const torch::Tensor along =
      torch::tensor(v, gradient_.options().requires_grad(false));
  const torch::Tensor product = Flat(torch::autograd::grad(
      {gradient_}, {alphas_.normal, alphas_.reduce}, {along},
      /*retain_graph=*/true));
  const torch::Tensor plain =
      product.to(torch::kCPU, torch::kDouble).contiguous();
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
