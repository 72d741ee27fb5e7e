#include "fairdarts/search_step.h"

#include <cmath>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/alpha_gradient.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "ops/torch_status.h"

namespace fairdarts {
namespace {

// Prices are numbers of the configuration; the loss is where the alphas are.
SearchStepOptions OnDeviceOf(const Alphas& alphas, SearchStepOptions options) {
  EdgeWeights& prices = options.loss.prices;
  for (torch::Tensor* const price : {&prices.normal, &prices.reduce}) {
    if (price->defined()) *price = price->to(alphas.normal.device());
  }
  return options;
}

absl::Status OptionError(absl::string_view name, double value,
                         absl::string_view rule) {
  return UsageError(absl::StrCat(name, " ", value, ": it must be ", rule));
}

absl::Status CheckNotNegative(absl::string_view name, double value) {
  if (std::isfinite(value) && value >= 0) return absl::OkStatus();
  return OptionError(name, value, "a finite number of at least 0");
}

absl::Status CheckNorm(double norm) {
  if (std::isfinite(norm)) return absl::OkStatus();
  return NumbersError(
      absl::StrCat("the norm of the weight gradients is ", norm));
}

absl::Status Check(const SearchStepOptions& options) {
  if (options.second_order && options.single_level) {
    return UsageError(
        "second_order: its gradient looks a step of the weights ahead, on the "
        "training batch; a single-level search has no other batch for the "
        "alphas");
  }
  FD_RETURN_IF_ERROR(CheckNotNegative("learning_rate", options.learning_rate));
  if (!(options.momentum >= 0 && options.momentum < 1)) {
    return OptionError("momentum", options.momentum, "at least 0 and below 1");
  }
  FD_RETURN_IF_ERROR(CheckNotNegative("weight_decay", options.weight_decay));
  if (!(std::isfinite(options.gradient_clip) && options.gradient_clip > 0)) {
    return OptionError("gradient_clip", options.gradient_clip,
                       "a finite number above 0");
  }
  return CheckNotNegative("zero_one_weight", options.loss.zero_one_weight);
}

}  // namespace

absl::StatusOr<std::unique_ptr<SearchStep>> SearchStep::Create(
    std::shared_ptr<Supernet> supernet, const SearchStepOptions& options) {
  FD_RETURN_IF_ERROR(Check(options));
  return CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<SearchStep>> {
    const Alphas alphas = ZeroAlphas(*supernet);
    FD_ASSIGN_OR_RETURN(std::unique_ptr<Architect> architect,
                        Architect::Create(alphas, options.architect));
    return absl::WrapUnique(new SearchStep(std::move(supernet), alphas,
                                           std::move(architect), options));
  });
}

SearchStep::SearchStep(std::shared_ptr<Supernet> supernet, const Alphas& alphas,
                       std::unique_ptr<Architect> architect,
                       const SearchStepOptions& options)
    : options_(OnDeviceOf(alphas, options)),
      supernet_(std::move(supernet)),
      alphas_(alphas),
      architect_(std::move(architect)),
      optimizer_(supernet_->parameters(),
                 torch::optim::SGDOptions(options.learning_rate)
                     .momentum(options.momentum)
                     .weight_decay(options.weight_decay)) {}

absl::StatusOr<StepResult> SearchStep::Run(const Batch& train,
                                           const Batch& alpha) {
  return CatchTorch([&] { return RunOrThrow(train, alpha); });
}

absl::StatusOr<StepResult> SearchStep::RunOrThrow(const Batch& train,
                                                  const Batch& alpha) {
  supernet_->train();
  FD_RETURN_IF_ERROR(supernet_->SetSkipNoise(noise_));
  StepResult result;
  if (!options_.single_level) {
    FD_ASSIGN_OR_RETURN(
        const AlphaGradient gradient,
        options_.second_order
            ? SecondOrderGradient(*supernet_, alphas_, options_.relaxation,
                                  train, alpha, options_.loss, optimizer_,
                                  noise_)
            : FirstOrderGradient(*supernet_, alphas_, options_.relaxation,
                                 alpha, options_.loss));
    FD_RETURN_IF_ERROR(architect_->StepAlong(gradient.normal, gradient.reduce));
    result.alpha = gradient.loss;
    if (options_.second_order) {
      // Its last forward of this batch saw noise_.
      SkipNoise fresh = noise_;
      fresh.key += 2;
      FD_RETURN_IF_ERROR(supernet_->SetSkipNoise(fresh));
    }
  }

  // The weight step of a bi-level search sees the weights of the edges as
  // constants: no gradient of an alpha is computed.
  const SearchLoss loss = ComputeSearchLoss(
      *supernet_,
      options_.single_level ? Relax(alphas_, options_.relaxation) : weights(),
      train, options_.loss);
  FD_ASSIGN_OR_RETURN(result.train, FiniteLossValues(loss, "training"));
  optimizer_.zero_grad();
  // Left over if an earlier single-level step was refused.
  alphas_.normal.mutable_grad().reset();
  alphas_.reduce.mutable_grad().reset();
  loss.total.backward();
  result.gradient_norm = optimizer_.GradientNorm();
  FD_RETURN_IF_ERROR(CheckNorm(result.gradient_norm));
  if (options_.single_level) {
    FD_RETURN_IF_ERROR(
        architect_->StepAlong(alphas_.normal.grad(), alphas_.reduce.grad()));
  }
  optimizer_.ClippedStep(result.gradient_norm, options_.gradient_clip);

  const torch::NoGradGuard no_grad;
  result.correct = loss.logits.argmax(1).eq(train.labels).sum().item<int64_t>();
  return result;
}

std::array<double, SearchStep::kRates> SearchStep::Rates(
    int64_t step, double learning_rate) const {
  const std::array<double, 2> alphas = architect_->StepRates(step + 1);
  return {learning_rate, alphas[0], alphas[1]};
}

void SearchStep::CountStep() { architect_->CountStep(); }

torch::Tensor SearchStep::Launch(const Batch& train, const Batch& alpha,
                                 const torch::Tensor& rates) {
  FD_CHECK(!options_.second_order && !noise_.on());
  const torch::Tensor alpha_rates = rates.slice(0, 1);
  const auto step_alphas = [&](const torch::Tensor& normal,
                               const torch::Tensor& reduce) {
    architect_->StepAlong(normal, reduce, alpha_rates);
    return normal.abs().sum() + reduce.abs().sum();
  };
  supernet_->train();
  const torch::Tensor none = torch::zeros({}, rates.options());
  std::vector<torch::Tensor> values;
  const auto put = [&](const SearchLoss& loss) {
    values.insert(values.end(), {loss.total, loss.cross_entropy, loss.zero_one,
                                 loss.cost.defined() ? loss.cost : none});
  };
  torch::Tensor alpha_sum;
  if (options_.single_level) {
    values.assign(4, none);
  } else {
    const AlphaGradientTensors gradient = FirstOrderTensors(
        *supernet_, alphas_, options_.relaxation, alpha, options_.loss);
    alpha_sum = step_alphas(gradient.normal, gradient.reduce);
    put(gradient.loss);
  }
  const SearchLoss loss = ComputeSearchLoss(
      *supernet_,
      options_.single_level ? Relax(alphas_, options_.relaxation) : weights(),
      train, options_.loss);
  put(loss);
  optimizer_.zero_grad();
  alphas_.normal.mutable_grad().reset();
  alphas_.reduce.mutable_grad().reset();
  loss.total.backward();
  if (options_.single_level) {
    alpha_sum = step_alphas(alphas_.normal.grad(), alphas_.reduce.grad());
  }
  const torch::Tensor norm = optimizer_.NormTensor();
  optimizer_.ClippedStep(norm, options_.gradient_clip, rates[0]);
  const torch::NoGradGuard no_grad;
  values.insert(values.end(), {alpha_sum, norm,
                               loss.logits.argmax(1).eq(train.labels).sum()});
  for (torch::Tensor& value : values) {
    value = value.detach().to(rates.scalar_type());
  }
  return torch::stack(values);
}

absl::StatusOr<StepResult> SearchStep::Read(const torch::Tensor& values) const {
  FD_CHECK_EQ(values.numel(), kValues);
  const double* v = values.const_data_ptr<double>();
  const LossValues alpha{v[0], v[1], v[2], v[3]};
  StepResult result;
  result.train = {v[4], v[5], v[6], v[7]};
  if (!options_.single_level) {
    FD_RETURN_IF_ERROR(CheckFinite(alpha, "alpha"));
    FD_RETURN_IF_ERROR(Architect::CheckGradient(v[8]));
    result.alpha = alpha;
  }
  FD_RETURN_IF_ERROR(CheckFinite(result.train, "training"));
  result.gradient_norm = v[9];
  FD_RETURN_IF_ERROR(CheckNorm(result.gradient_norm));
  FD_RETURN_IF_ERROR(Architect::CheckGradient(v[8]));
  result.correct = static_cast<int64_t>(v[10]);
  return result;
}

absl::Status SearchStep::SetSkipNoise(const SkipNoise& noise) {
  FD_RETURN_IF_ERROR(supernet_->SetSkipNoise(noise));
  noise_ = noise;
  return absl::OkStatus();
}

absl::Status SearchStep::SetLearningRate(double learning_rate) {
  FD_RETURN_IF_ERROR(CheckNotNegative("learning_rate", learning_rate));
  for (torch::optim::OptimizerParamGroup& group : optimizer_.param_groups()) {
    group.options().set_lr(learning_rate);
  }
  return absl::OkStatus();
}

EdgeWeights SearchStep::weights() const {
  const torch::NoGradGuard no_grad;
  return Relax(alphas_, options_.relaxation);
}

}  // namespace fairdarts
