#ifndef TRAINING_ACCELERATOR_INPUT_FEED_H_
#define TRAINING_ACCELERATOR_INPUT_FEED_H_

// What steps on a device read, brought there while the step before runs.

#include <c10/core/Event.h>
#include <c10/core/Stream.h>
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace fairdarts {

// Two sets of inputs exist at a time: those of the step that runs and those
// that are on their way. On a GPU they go there on a stream of their own, from
// pinned memory, so that neither the host nor the step is held up; on the CPU
// they are what the source made. Not thread-safe. Throws what torch throws.
class InputFeed {
 public:
  // The inputs of a step, on the CPU: in pinned memory and new each time where
  // the device is a GPU.
  using Source = std::function<std::vector<torch::Tensor>(int64_t step)>;

  InputFeed(torch::Device device, Source source);

  // Makes the inputs of a step and sends them off.
  void Prepare(int64_t step);

  // The inputs of a step on the device, for what is asked of its current
  // stream from now on. Made now unless they were the last to be prepared.
  std::vector<torch::Tensor> Take(int64_t step);

 private:
  struct Prepared {
    int64_t step;
    std::vector<torch::Tensor> inputs;
  };

  const torch::Device device_;
  const Source source_;
  std::optional<c10::Stream> copies_;  // none on the CPU
  std::optional<c10::Event> arrived_;
  std::optional<Prepared> prepared_;
};

}  // namespace fairdarts

#endif  // TRAINING_ACCELERATOR_INPUT_FEED_H_
