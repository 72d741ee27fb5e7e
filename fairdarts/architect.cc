#include "fairdarts/architect.h"

#include <cmath>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

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
    : alphas_(alphas),
      optimizer_({alphas.normal, alphas.reduce},
                 torch::optim::AdamOptions(options.learning_rate)
                     .betas({options.beta1, options.beta2})
                     .weight_decay(options.weight_decay)) {}

absl::Status Architect::StepAlong(const torch::Tensor& normal_gradient,
                                  const torch::Tensor& reduce_gradient) {
  const double sum = normal_gradient.abs().sum().item<double>() +
                     reduce_gradient.abs().sum().item<double>();
  if (!std::isfinite(sum)) {
    return NumbersError(absl::StrCat(
        "the gradient of the alphas is not finite: its absolute values sum to ",
        sum));
  }
  alphas_.normal.mutable_grad() = normal_gradient;
  alphas_.reduce.mutable_grad() = reduce_gradient;
  optimizer_.step();
  optimizer_.zero_grad();
  return absl::OkStatus();
}

}  // namespace fairdarts
