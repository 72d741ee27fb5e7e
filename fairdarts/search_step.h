#ifndef FAIRDARTS_SEARCH_STEP_H_
#define FAIRDARTS_SEARCH_STEP_H_

// One step of a search with FairDARTS (arXiv 1911.12126) or DARTS (arXiv
// 1806.09055), which differ in the relaxation and in the loss: no data, no
// loop, no output.
//
// Bi-level (the default), in this order:
//   1. the alphas step on the alpha batch (alpha_gradient.h);
//   2. the weights step on the training batch, under the new alphas.
// Single-level: one forward and backward of the training batch, from which
// weights and alphas step together.
//
// The weights' optimiser is SGD with momentum and weight decay, after the
// gradient over all weights together has been clipped to a norm (sgd.h).

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "fairdarts/architect.h"
#include "fairdarts/relaxation.h"
#include "fairdarts/search_loss.h"
#include "fairdarts/sgd.h"
#include "search_space/skip_noise.h"
#include "search_space/supernet.h"

namespace fairdarts {

// The defaults are the paper's search on CIFAR-10.
struct SearchStepOptions {
  Relaxation relaxation = Relaxation::kSigmoid;
  bool single_level = false;
  bool second_order = false;  // the alphas' gradient; only bi-level
  double learning_rate = 0.005;
  double momentum = 0.9;
  double weight_decay = 3e-4;
  double gradient_clip = 5;  // largest 2-norm of all weight gradients
  SearchLossOptions loss;
  ArchitectOptions architect;
};

struct StepResult {
  LossValues train;
  std::optional<LossValues> alpha;  // none in a single-level search
  double gradient_norm = 0;         // of the weights, before clipping
  int64_t correct = 0;              // of the training batch
};

// Not thread-safe. The same network, options and batches give the same bits
// on the same machine with the same number of threads.
class SearchStep {
 public:
  // Starts from zero alphas (see DrawAlphas). A usage error names the option
  // that means nothing and its value.
  static absl::StatusOr<std::unique_ptr<SearchStep>> Create(
      std::shared_ptr<Supernet> supernet, const SearchStepOptions& options);

  // Puts the network into training mode and runs one step; `alpha` is not
  // read in a single-level search. What is not finite is a numbers error that
  // names the loss or gradient, and neither the weights nor (where it came up
  // there) the alphas have moved along it; the caller adds epoch and step.
  // What torch throws at shapes, labels and memory comes back as a Status.
  absl::StatusOr<StepResult> Run(const Batch& train, const Batch& alpha);

  // The same step for a device that works on its own (a GPU) and is not waited
  // for: Launch() asks for its operations, none of which reads a value on the
  // host, so that a graph may record them and be replayed in place of it. Not
  // for gradients of second order nor with noise (FD_CHECK), which decide on
  // the host.
  //
  // What changes from one step to the next comes in as tensors on the device:
  // the batches and Rates() of the step's number in the run, from 0. What
  // happened comes back as values [kValues] double there, for Read() once they
  // are on the CPU; until then a step along what is not finite has been taken.
  // CountStep() has to follow each.
  static constexpr int64_t kRates = 3;
  std::array<double, kRates> Rates(int64_t step, double learning_rate) const;
  torch::Tensor Launch(const Batch& train, const Batch& alpha,
                       const torch::Tensor& rates);
  static constexpr int64_t kValues = 11;
  absl::StatusOr<StepResult> Read(const torch::Tensor& values) const;
  void CountStep();

  // The noise on skip connections (skip_noise.h) in the training forwards of
  // the next steps. Its key has to be another for each: a step uses it and the
  // next few numbers. The error of Supernet::SetSkipNoise.
  absl::Status SetSkipNoise(const SkipNoise& noise);

  // The rate of the weights from the next step on; finite and not negative.
  absl::Status SetLearningRate(double learning_rate);

  const Alphas& alphas() const { return alphas_; }
  Relaxation relaxation() const { return options_.relaxation; }

  // The relaxed weights of now, without gradients.
  EdgeWeights weights() const;

  // For who keeps the state between two steps and brings it back: it is the
  // network's parameters and buffers, the alphas (written in place, so that
  // their optimiser goes on moving them) and what these two remember. The first
  // is over the network's parameters(), the second over the alphas, normal
  // before reduce.
  Sgd& weight_optimizer() { return optimizer_; }
  torch::optim::Adam& alpha_optimizer() { return architect_->optimizer(); }

 private:
  SearchStep(std::shared_ptr<Supernet> supernet, const Alphas& alphas,
             std::unique_ptr<Architect> architect,
             const SearchStepOptions& options);

  absl::StatusOr<StepResult> RunOrThrow(const Batch& train, const Batch& alpha);

  const SearchStepOptions options_;
  const std::shared_ptr<Supernet> supernet_;
  const Alphas alphas_;
  const std::unique_ptr<Architect> architect_;
  Sgd optimizer_;
  SkipNoise noise_;
};

}  // namespace fairdarts

#endif  // FAIRDARTS_SEARCH_STEP_H_
