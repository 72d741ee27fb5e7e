#include "fairdarts/alpha_gradient.h"

#include <cmath>
#include <utility>
#include <vector>

#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

using ::torch::autograd::variable_list;

// R times the norm of g: DARTS' step of the difference.
constexpr double kDifferenceStep = 0.01;

// Tensors as they are now, to be put back.
class SavedTensors {
 public:
  explicit SavedTensors(std::vector<torch::Tensor> tensors)
      : tensors_(std::move(tensors)) {
    const torch::NoGradGuard no_grad;
    for (const torch::Tensor& tensor : tensors_) {
      saved_.push_back(tensor.clone());
    }
  }
  ~SavedTensors() { PutBack(); }
  SavedTensors(const SavedTensors&) = delete;
  SavedTensors& operator=(const SavedTensors&) = delete;

  // In place: others hold these very tensors.
  void PutBack() const {
    const torch::NoGradGuard no_grad;
    for (size_t i = 0; i < tensors_.size(); ++i) tensors_[i].copy_(saved_[i]);
  }

  const std::vector<torch::Tensor>& saved() const { return saved_; }

 private:
  const std::vector<torch::Tensor> tensors_;
  std::vector<torch::Tensor> saved_;
};

// A weight that takes no part in a loss has no gradient.
variable_list GradientsOf(const torch::Tensor& loss,
                          const variable_list& inputs) {
  return torch::autograd::grad({loss}, inputs, /*grad_outputs=*/{},
                               /*retain_graph=*/c10::nullopt,
                               /*create_graph=*/false, /*allow_unused=*/true);
}

// u of the header, for weight number i and its gradient.
torch::Tensor StepDirection(const Sgd& optimizer, const torch::Tensor& weight,
                            const torch::Tensor& gradient) {
  const auto& options = static_cast<const torch::optim::SGDOptions&>(
      optimizer.param_groups()[0].options());
  torch::Tensor direction = options.weight_decay() * weight;
  if (gradient.defined()) direction = direction + gradient;
  const auto state = optimizer.state().find(weight.unsafeGetTensorImpl());
  if (state == optimizer.state().end() || state->second == nullptr) {
    return direction;
  }
  const torch::Tensor& buffer =
      static_cast<const torch::optim::SGDParamState&>(*state->second)
          .momentum_buffer();
  return buffer.defined() ? direction + options.momentum() * buffer : direction;
}

double NormOf(const variable_list& tensors) {
  double sum = 0;
  for (const torch::Tensor& tensor : tensors) {
    if (!tensor.defined()) continue;
    sum += tensor.square().sum(torch::kDouble).item<double>();
  }
  return std::sqrt(sum);
}

}  // namespace

AlphaGradientTensors FirstOrderTensors(Supernet& supernet, const Alphas& alphas,
                                       Relaxation relaxation,
                                       const Batch& alpha_batch,
                                       const SearchLossOptions& loss_options) {
  AlphaGradientTensors result;
  result.loss = ComputeSearchLoss(supernet, Relax(alphas, relaxation),
                                  alpha_batch, loss_options);
  const variable_list gradients =
      GradientsOf(result.loss.total, {alphas.normal, alphas.reduce});
  result.normal = gradients[0];
  result.reduce = gradients[1];
  return result;
}

absl::StatusOr<AlphaGradient> FirstOrderGradient(
    Supernet& supernet, const Alphas& alphas, Relaxation relaxation,
    const Batch& alpha_batch, const SearchLossOptions& loss_options) {
  const AlphaGradientTensors tensors = FirstOrderTensors(
      supernet, alphas, relaxation, alpha_batch, loss_options);
  AlphaGradient result;
  FD_ASSIGN_OR_RETURN(result.loss, FiniteLossValues(tensors.loss, "alpha"));
  result.normal = tensors.normal;
  result.reduce = tensors.reduce;
  return result;
}

absl::StatusOr<AlphaGradient> SecondOrderGradient(
    Supernet& supernet, const Alphas& alphas, Relaxation relaxation,
    const Batch& train_batch, const Batch& alpha_batch,
    const SearchLossOptions& loss_options, const Sgd& weight_optimizer,
    const SkipNoise& noise) {
  const std::vector<torch::Tensor>& weights =
      weight_optimizer.param_groups()[0].params();
  const double xi = weight_optimizer.param_groups()[0].options().get_lr();
  const variable_list both = {alphas.normal, alphas.reduce};
  // Of the training loss only the cross-entropy depends on weights: in u and
  // in the difference the rest has no part.
  const auto train_gradients =
      [&](const EdgeWeights& edge_weights,
          const variable_list& of) -> absl::StatusOr<variable_list> {
    FD_RETURN_IF_ERROR(supernet.SetSkipNoise(noise));
    const SearchLoss loss =
        ComputeSearchLoss(supernet, edge_weights, train_batch, loss_options);
    FD_RETURN_IF_ERROR(FiniteLossValues(loss, "training").status());
    return GradientsOf(loss.cross_entropy, of);
  };
  const auto constant = [&] {
    const torch::NoGradGuard no_grad;
    return Relax(alphas, relaxation);
  };

  FD_ASSIGN_OR_RETURN(variable_list gradients,
                      train_gradients(constant(), weights));

  const SavedTensors saved_weights(weights);
  const auto move_weights = [&](double step, const variable_list& along) {
    const torch::NoGradGuard no_grad;
    for (size_t i = 0; i < weights.size(); ++i) {
      if (along[i].defined()) {
        weights[i].copy_(saved_weights.saved()[i] + step * along[i]);
      }
    }
  };
  {
    const torch::NoGradGuard no_grad;
    for (size_t i = 0; i < weights.size(); ++i) {
      gradients[i] = StepDirection(weight_optimizer, weights[i], gradients[i]);
    }
  }
  move_weights(-xi, gradients);
  AlphaGradient result;
  variable_list at_step;
  {
    const SavedTensors statistics(supernet.buffers());
    SkipNoise other = noise;
    ++other.key;
    FD_RETURN_IF_ERROR(supernet.SetSkipNoise(other));
    const SearchLoss loss = ComputeSearchLoss(
        supernet, Relax(alphas, relaxation), alpha_batch, loss_options);
    FD_ASSIGN_OR_RETURN(result.loss, FiniteLossValues(loss, "alpha"));
    variable_list inputs = both;
    inputs.insert(inputs.end(), weights.begin(), weights.end());
    at_step = GradientsOf(loss.total, inputs);
  }
  result.normal = at_step[0];
  result.reduce = at_step[1];
  const variable_list direction(at_step.begin() + both.size(), at_step.end());

  const double norm = NormOf(direction);
  if (norm == 0) return result;  // w' does not matter to the loss
  const double step = kDifferenceStep / norm;
  variable_list sides[2];
  for (const int side : {0, 1}) {
    move_weights(side == 0 ? step : -step, direction);
    FD_ASSIGN_OR_RETURN(sides[side],
                        train_gradients(Relax(alphas, relaxation), both));
  }
  const torch::NoGradGuard no_grad;
  const auto implicit = [&](int cell) {
    return xi / (2 * step) * (sides[0][cell] - sides[1][cell]);
  };
  result.normal = result.normal - implicit(0);
  result.reduce = result.reduce - implicit(1);
  return result;
}

}  // namespace fairdarts
