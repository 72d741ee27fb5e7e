#ifndef TRAINING_ACCELERATOR_STEP_GRAPH_H_
#define TRAINING_ACCELERATOR_STEP_GRAPH_H_

// A step that is run a few times, recorded and then replayed.

#include <torch/types.h>

#include <functional>
#include <memory>
#include <vector>

#include "training/accelerator/graph_recorder.h"

namespace fairdarts {

// A recording knows memory, not values: it reads inputs of its own, into which
// those of each step are copied. The first steps of a shape are run, so that
// everything that outlives a step (momentum, cuDNN's choices) is there when
// the next one is recorded; steps of other shapes, an epoch's smaller last one,
// are always run. Not thread-safe. Throws what torch throws.
class StepGraph {
 public:
  // From inputs to values, all on one device.
  using Step =
      std::function<torch::Tensor(const std::vector<torch::Tensor>& inputs)>;

  // How many steps of a shape are run before one is recorded.
  static constexpr int kRunBefore = 3;

  // Without a recorder every step is run.
  StepGraph(Step step, std::unique_ptr<GraphRecorder> recorder);

  // One step. The values are a tensor that no later step changes.
  torch::Tensor Run(const std::vector<torch::Tensor>& inputs);

  bool recorded() const { return values_.defined(); }

 private:
  const Step step_;
  const std::unique_ptr<GraphRecorder> recorder_;
  std::vector<torch::Tensor> inputs_;  // of the recording, or of the last step
  int runs_ = 0;                       // of steps with these shapes
  torch::Tensor values_;               // of the recording
};

}  // namespace fairdarts

#endif  // TRAINING_ACCELERATOR_STEP_GRAPH_H_
