#include "fairdarts/architect.h"

#include <cmath>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

// What Adam adds to the root of its second moment.
constexpr double kAdamEpsilon = 1e-8;

absl::Status CheckBeta(absl::string_view name, double value) {
  if (value >= 0 && value < 1) return absl::OkStatus();
  return UsageError(absl::StrCat("architect ", name, " ", value,
                                 ": it must be at least 0 and below 1"));
}

absl::Status CheckNotNegative(absl::string_view name, double value) {
  if (std::isfinite(value) && value >= 0) return absl::OkStatus();
  return UsageError(absl::StrCat("architect ", name, " ", value,
                                 ": it must be a finite number of at least 0"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Architect>> Architect::Create(
    const Alphas& alphas, const ArchitectOptions& options) {
  FD_RETURN_IF_ERROR(CheckNotNegative("learning_rate", options.learning_rate));
  FD_RETURN_IF_ERROR(CheckBeta("beta1", options.beta1));
  FD_RETURN_IF_ERROR(CheckBeta("beta2", options.beta2));
  FD_RETURN_IF_ERROR(CheckNotNegative("weight_decay", options.weight_decay));
  return absl::WrapUnique(new Architect(alphas, options));
}

Architect::Architect(const Alphas& alphas, const ArchitectOptions& options)
    : options_(options),
      alphas_(alphas),
      optimizer_({alphas.normal, alphas.reduce},
                 torch::optim::AdamOptions(options.learning_rate)
                     .betas({options.beta1, options.beta2})
                     .weight_decay(options.weight_decay)) {}

absl::Status Architect::StepAlong(const torch::Tensor& normal_gradient,
                                  const torch::Tensor& reduce_gradient) {
  const double sum = normal_gradient.abs().sum().item<double>() +
                     reduce_gradient.abs().sum().item<double>();
  FD_RETURN_IF_ERROR(CheckGradient(sum));
  alphas_.normal.mutable_grad() = normal_gradient;
  alphas_.reduce.mutable_grad() = reduce_gradient;
  optimizer_.step();
  optimizer_.zero_grad();
  return absl::OkStatus();
}

absl::Status Architect::CheckGradient(double sum) {
  if (std::isfinite(sum)) return absl::OkStatus();
  return NumbersError(absl::StrCat(
      "the gradient of the alphas is not finite: its absolute values sum to ",
      sum));
}

torch::optim::AdamParamState& Architect::StateOf(const torch::Tensor& alpha) {
  auto& state = optimizer_.state()[alpha.unsafeGetTensorImpl()];
  if (state == nullptr) {
    auto fresh = std::make_unique<torch::optim::AdamParamState>();
    fresh->step(0);
    fresh->exp_avg(torch::zeros_like(alpha));
    fresh->exp_avg_sq(torch::zeros_like(alpha));
    state = std::move(fresh);
  }
  return static_cast<torch::optim::AdamParamState&>(*state);
}

void Architect::StepAlong(const torch::Tensor& normal_gradient,
                          const torch::Tensor& reduce_gradient,
                          const torch::Tensor& rates) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor rate = rates[0].to(alphas_.normal.scalar_type());
  const torch::Tensor root = rates[1].to(alphas_.normal.scalar_type());
  const std::pair<torch::Tensor, torch::Tensor> pairs[] = {
      {alphas_.normal, normal_gradient}, {alphas_.reduce, reduce_gradient}};
  for (auto [alpha, gradient] : pairs) {
    gradient = gradient.add(alpha, options_.weight_decay);
    torch::optim::AdamParamState& state = StateOf(alpha);
    torch::Tensor mean = state.exp_avg();
    torch::Tensor square = state.exp_avg_sq();
    mean.mul_(options_.beta1).add_(gradient, 1 - options_.beta1);
    square.mul_(options_.beta2)
        .addcmul_(gradient, gradient, 1 - options_.beta2);
    alpha.sub_(rate * mean / (square.sqrt() * root + kAdamEpsilon));
  }
}

std::array<double, 2> Architect::StepRates(int64_t t) const {
  const auto steps = static_cast<double>(t);
  return {options_.learning_rate / (1 - std::pow(options_.beta1, steps)),
          1 / std::sqrt(1 - std::pow(options_.beta2, steps))};
}

void Architect::CountStep() {
  for (const torch::Tensor& alpha : {alphas_.normal, alphas_.reduce}) {
    torch::optim::AdamParamState& state = StateOf(alpha);
    state.step(state.step() + 1);
  }
}

}  // namespace fairdarts
