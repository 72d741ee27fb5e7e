#include "training/train_step.h"

#include <torch/nn/functional/loss.h>
#include <torch/utils.h>

#include <cmath>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
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

absl::StatusOr<TrainStepResult> TrainStep::RunOrThrow(const Batch& batch,
                                                      double learning_rate,
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
  TrainStepResult result;
  result.loss = loss.item<double>();
  if (!std::isfinite(result.loss)) {
    return NumbersError(absl::StrCat("the training loss is ", result.loss));
  }
  optimizer_.zero_grad();
  loss.backward();
  result.gradient_norm = optimizer_.GradientNorm();
  if (!std::isfinite(result.gradient_norm)) {
    return NumbersError(
        absl::StrCat("the norm of the gradients is ", result.gradient_norm));
  }
  for (torch::optim::OptimizerParamGroup& group : optimizer_.param_groups()) {
    group.options().set_lr(learning_rate);
  }
  optimizer_.ClippedStep(result.gradient_norm, options_.gradient_clip);
  if (average_.has_value()) average_->Update();

  const torch::NoGradGuard no_gradients;
  result.correct =
      output.logits.argmax(1).eq(batch.labels).sum().item<int64_t>();
  return result;
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
