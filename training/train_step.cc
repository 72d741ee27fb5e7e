#include "training/train_step.h"

#include <torch/nn/functional/loss.h>
#include <torch/utils.h>

#include <cmath>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "ops/autocast.h"
#include "ops/torch_status.h"
#include "training/checkpoint/optimizer_state.h"

namespace fairdarts {
namespace {

constexpr char kWeights[] = "network";
constexpr char kOptimizer[] = "sgd";

absl::Status Check(const TrainStepOptions& options) {
  const auto fraction = [](absl::string_view name, double value) {
    if (value >= 0 && value < 1) return absl::OkStatus();
    return UsageError(
        absl::StrCat(name, " ", value, ": it must be at least 0 and below 1"));
  };
  const auto amount = [](absl::string_view name, double value) {
    if (std::isfinite(value) && value >= 0) return absl::OkStatus();
    return UsageError(absl::StrCat(
        name, " ", value, ": it must be a finite number of at least 0"));
  };
  FD_RETURN_IF_ERROR(fraction("momentum", options.momentum));
  FD_RETURN_IF_ERROR(amount("weight_decay", options.weight_decay));
  FD_RETURN_IF_ERROR(amount("gradient_clip", options.gradient_clip));
  if (options.gradient_clip == 0) {
    return UsageError("gradient_clip 0: it must be above 0");
  }
  FD_RETURN_IF_ERROR(amount("auxiliary_weight", options.auxiliary_weight));
  FD_RETURN_IF_ERROR(fraction("label_smoothing", options.label_smoothing));
  return fraction("average_decay", options.average_decay);
}

absl::Status CheckLoss(double loss) {
  if (std::isfinite(loss)) return absl::OkStatus();
  return NumbersError(absl::StrCat("the training loss is ", loss));
}

absl::Status CheckNorm(double norm) {
  if (std::isfinite(norm)) return absl::OkStatus();
  return NumbersError(absl::StrCat("the norm of the gradients is ", norm));
}

}  // namespace

absl::StatusOr<std::unique_ptr<TrainStep>> TrainStep::Create(
    std::shared_ptr<DerivedNetwork> network, const TrainStepOptions& options) {
  FD_RETURN_IF_ERROR(Check(options));
  return CatchTorch([&] {
    return absl::WrapUnique(new TrainStep(std::move(network), options));
  });
}

// The rate that the optimiser is made with is never used: each step sets its
// own.
TrainStep::TrainStep(std::shared_ptr<DerivedNetwork> network,
                     const TrainStepOptions& options)
    : options_(options),
      network_(std::move(network)),
      optimizer_(network_->parameters(),
                 torch::optim::SGDOptions(0)
                     .momentum(options.momentum)
                     .weight_decay(options.weight_decay)) {
  if (options.average_decay > 0) {
    average_.emplace(network_.get(), options.average_decay);
  }
}

absl::StatusOr<TrainStepResult> TrainStep::Run(const Batch& batch,
                                               double learning_rate,
                                               PathDropper dropper) {
  return CatchTorch([&] { return RunOrThrow(batch, learning_rate, dropper); });
}

TrainStep::Forwarded TrainStep::Forward(const Batch& batch,
                                        PathDropper& dropper) {
  const auto cross_entropy = [&](const torch::Tensor& logits) {
    return torch::nn::functional::cross_entropy(
        logits.to(torch::kFloat), batch.labels,
        torch::nn::functional::CrossEntropyFuncOptions().label_smoothing(
            options_.label_smoothing));
  };
  network_->train();
  DerivedNetwork::Output output;
  {
    const Autocast autocast(options_.bfloat16, batch.images.device().type());
    output = network_->Forward(batch.images, dropper);
  }
  torch::Tensor loss = cross_entropy(output.logits);
  if (output.auxiliary_logits.defined()) {
    loss = loss +
           options_.auxiliary_weight * cross_entropy(output.auxiliary_logits);
  }
  return {loss, output.logits};
}

absl::StatusOr<TrainStepResult> TrainStep::RunOrThrow(const Batch& batch,
                                                      double learning_rate,
                                                      PathDropper& dropper) {
  const Forwarded forwarded = Forward(batch, dropper);
  TrainStepResult result;
  result.loss = forwarded.loss.item<double>();
  FD_RETURN_IF_ERROR(CheckLoss(result.loss));
  optimizer_.zero_grad();
  forwarded.loss.backward();
  result.gradient_norm = optimizer_.GradientNorm();
  FD_RETURN_IF_ERROR(CheckNorm(result.gradient_norm));
  for (torch::optim::OptimizerParamGroup& group : optimizer_.param_groups()) {
    group.options().set_lr(learning_rate);
  }
  optimizer_.ClippedStep(result.gradient_norm, options_.gradient_clip);
  if (average_.has_value()) average_->Update();

  const torch::NoGradGuard no_gradients;
  result.correct =
      forwarded.logits.argmax(1).eq(batch.labels).sum().item<int64_t>();
  return result;
}

std::array<double, TrainStep::kRates> TrainStep::Rates(
    int64_t step, double learning_rate) const {
  return {learning_rate, average_.has_value() ? average_->WeightOf(step) : 0};
}

torch::Tensor TrainStep::Launch(const Batch& batch, const torch::Tensor& rates,
                                const torch::Tensor& path_scales) {
  PathDropper dropper(path_scales);
  const Forwarded forwarded = Forward(batch, dropper);
  optimizer_.zero_grad();
  forwarded.loss.backward();
  const torch::Tensor norm = optimizer_.NormTensor();
  optimizer_.ClippedStep(norm, options_.gradient_clip, rates[0]);
  if (average_.has_value()) average_->Update(rates[1]);

  const torch::NoGradGuard no_gradients;
  return torch::stack(
      {forwarded.loss.detach().to(torch::kDouble), norm,
       forwarded.logits.argmax(1).eq(batch.labels).sum().to(torch::kDouble)});
}

absl::StatusOr<TrainStepResult> TrainStep::Read(const torch::Tensor& values) {
  FD_CHECK_EQ(values.numel(), kValues);
  const double* v = values.const_data_ptr<double>();
  FD_RETURN_IF_ERROR(CheckLoss(v[0]));
  FD_RETURN_IF_ERROR(CheckNorm(v[1]));
  return TrainStepResult{v[0], v[1], static_cast<int64_t>(v[2])};
}

void TrainStep::CountStep() {
  if (average_.has_value()) average_->CountUpdate();
}

absl::Status TrainStep::WithResult(
    const std::function<absl::Status()>& function) {
  return average_.has_value() ? average_->Within(function) : function();
}

void TrainStep::PutInto(Snapshot& snapshot) const {
  snapshot.PutModule(kWeights, *network_);
  PutSgd(kOptimizer, optimizer_, ParameterNames(*network_), snapshot);
  if (average_.has_value()) average_->PutInto(snapshot);
}

absl::Status TrainStep::TakeFrom(const Snapshot& snapshot) {
  FD_RETURN_IF_ERROR(snapshot.LoadModule(kWeights, *network_));
  FD_RETURN_IF_ERROR(
      LoadSgd(snapshot, kOptimizer, ParameterNames(*network_), optimizer_));
  return average_.has_value() ? average_->TakeFrom(snapshot) : absl::OkStatus();
}

}  // namespace fairdarts
