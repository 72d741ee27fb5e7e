#ifndef TRAINING_ACCELERATOR_DEVICE_STEPS_H_
#define TRAINING_ACCELERATOR_DEVICE_STEPS_H_

// Steps on a device, of which the host asks ahead of their results.

#include <torch/types.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "training/accelerator/input_feed.h"
#include "training/accelerator/step_graph.h"

namespace fairdarts {

// Not thread-safe. What torch throws comes back as a Status.
class DeviceSteps {
 public:
  // How many steps a loop may ask for before it looks at what came of them:
  // the device is waited for once in so many, and an error found that late.
  static constexpr int64_t kMostPending = 16;

  // `source` makes the inputs of a step on the CPU (InputFeed) and `step` does
  // it on the device (StepGraph), in a recording where `graph` asks for it and
  // the device has such.
  DeviceSteps(torch::Device device, bool graph, InputFeed::Source source,
              StepGraph::Step step);

  // Asks for a step. While the device is at it the inputs of the step `next`
  // are made, where there will be one.
  absl::Status Run(int64_t step, std::optional<int64_t> next);

  int64_t pending() const { return static_cast<int64_t>(pending_.size()); }

  // Waits for the steps since the last call, in order, and forgets them.
  struct Finished {
    int64_t step;
    torch::Tensor values;  // on the CPU
  };
  absl::StatusOr<std::vector<Finished>> Finish();

 private:
  InputFeed feed_;
  StepGraph graph_;
  std::vector<Finished> pending_;
};

}  // namespace fairdarts

#endif  // TRAINING_ACCELERATOR_DEVICE_STEPS_H_
