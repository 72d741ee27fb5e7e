#ifndef TRAINING_TRAIN_STEP_H_
#define TRAINING_TRAIN_STEP_H_

// One step of the training of a derived network.
//
//   L = CE(logits, y) + auxiliary_weight * CE(auxiliary logits, y)
//
// where CE is the mean cross-entropy over the batch with smoothed labels: the
// target is 1 - s + s / classes for the label and s / classes for the others
// (Szegedy et al., arXiv 1512.00567, section 7). A batch without auxiliary
// logits has the first term alone. The optimiser is SGD with momentum and
// weight decay, after the gradient over all weights together has been clipped
// to a norm (fairdarts/sgd.h).

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "fairdarts/batch.h"
#include "fairdarts/sgd.h"
#include "search_space/derived_network.h"
#include "search_space/path_dropper.h"
#include "training/checkpoint/snapshot.h"
#include "training/weight_average.h"

namespace fairdarts {

struct TrainStepOptions {
  double momentum = 0.9;
  double weight_decay = 3e-4;
  double gradient_clip = 5;  // largest 2-norm of all gradients
  double auxiliary_weight = 0.4;
  double label_smoothing = 0;  // s above, in [0, 1)
  double average_decay = 0;    // of the weight average; 0: there is none
  bool bfloat16 = false;       // autocast of what gains by it
};

struct TrainStepResult {
  double loss = 0;           // L above
  double gradient_norm = 0;  // before clipping
  int64_t correct = 0;
};

// Not thread-safe. The same network, options and batches give the same bits on
// the same machine with the same number of threads.
class TrainStep {
 public:
  // A usage error names the option that means nothing and its value.
  static absl::StatusOr<std::unique_ptr<TrainStep>> Create(
      std::shared_ptr<DerivedNetwork> network, const TrainStepOptions& options);

  // Puts the network into training mode and runs one step. A loss or gradient
  // that is not finite is a numbers error, and the weights have not moved.
  // What torch throws comes back as a Status.
  absl::StatusOr<TrainStepResult> Run(const Batch& batch, double learning_rate,
                                      PathDropper dropper);

  // The same step for a device that works on its own (a GPU) and is not waited
  // for, as SearchStep::Launch(): nothing is read on the host, so that a graph
  // may record it. What changes from step to step are the batch, the factors
  // of the dropped paths [paths, images] (PathDropper) and Rates() of the
  // step's number in the run, all on the device. Values [kValues] double are
  // for Read() once they are on the CPU; CountStep() has to follow each.
  static constexpr int64_t kRates = 2;
  std::array<double, kRates> Rates(int64_t step, double learning_rate) const;
  torch::Tensor Launch(const Batch& batch, const torch::Tensor& rates,
                       const torch::Tensor& path_scales);
  static constexpr int64_t kValues = 3;
  static absl::StatusOr<TrainStepResult> Read(const torch::Tensor& values);
  void CountStep();

  // Runs `function` while the network holds the weights that count: the
  // averages where there are any, else its own.
  absl::Status WithResult(const std::function<absl::Status()>& function);

  // Weights, momentum and averages, between two steps.
  void PutInto(Snapshot& snapshot) const;
  absl::Status TakeFrom(const Snapshot& snapshot);

 private:
  TrainStep(std::shared_ptr<DerivedNetwork> network,
            const TrainStepOptions& options);

  // The network's forward in training mode, and L.
  struct Forwarded {
    torch::Tensor loss;
    torch::Tensor logits;
  };
  Forwarded Forward(const Batch& batch, PathDropper& dropper);
  absl::StatusOr<TrainStepResult> RunOrThrow(const Batch& batch,
                                             double learning_rate,
                                             PathDropper& dropper);

  const TrainStepOptions options_;
  const std::shared_ptr<DerivedNetwork> network_;
  Sgd optimizer_;
  std::optional<WeightAverage> average_;
};

}  // namespace fairdarts

#endif  // TRAINING_TRAIN_STEP_H_
