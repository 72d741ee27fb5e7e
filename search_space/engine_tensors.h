#ifndef SEARCH_SPACE_ENGINE_TENSORS_H_
#define SEARCH_SPACE_ENGINE_TENSORS_H_

// What an engine (search_space/engine) and torch's graph need of each other:
// the tensors of a module as views into the engine's flat buffers, the images,
// and the forward that has its backward before it.

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "search_space/engine/network_layout.h"
#include "search_space/engine/stem.h"

namespace fairdarts {

using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

class EngineTensors {
 public:
  // Moves the module's parameters and buffers, values and all, into the buffers
  // at `parameters` and `statistics`, which `owner` keeps alive; their names
  // are those of the layout, in its order (our own bug where they are not).
  // Counters of batches (num_batches_tracked) become views of one tensor.
  EngineTensors(const std::shared_ptr<void>& owner,
                const std::vector<FlatTensor>& parameter_layout,
                float* parameters,
                const std::vector<FlatTensor>& statistic_layout,
                float* statistics, const NamedTensors& module_parameters,
                const NamedTensors& module_buffers);

  const std::vector<torch::Tensor>& parameters() const { return parameters_; }

  // Throws where a parameter has been moved out of its buffer (to(), a new
  // data), of which the engine would know nothing.
  void CheckInPlace() const;

  // Changes with every change of a parameter in place: what a backward needs
  // may not have changed since its forward.
  uint64_t Version() const;

  // Another batch has been seen by every batch norm.
  void CountBatch();

 private:
  std::vector<FlatTensor> layout_;
  const float* buffer_;
  std::vector<torch::Tensor> parameters_;
  torch::Tensor batches_tracked_;  // of every batch norm
};

// Throws where an engine does not take these: it takes float32 images
// [N, channels, H, W] on the CPU that need no gradient.
void CheckEngineImages(const torch::Tensor& images, int64_t channels);

// The same without gaps, as an engine reads them; as long as they are there.
Images ImagesOf(const torch::Tensor& contiguous);

// The part of a flat gradient that belongs to a parameter.
torch::Tensor GradientOf(const torch::Tensor& flat,
                         const FlatTensor& parameter);

// The last forward of an engine, to be differentiated.
template <typename Engine>
class PendingForward {
 public:
  PendingForward(std::shared_ptr<Engine> engine,
                 std::shared_ptr<EngineTensors> tensors)
      : engine_(std::move(engine)),
        tensors_(std::move(tensors)),
        forward_(engine_->pending()),
        version_(tensors_->Version()) {}

  // Throws where there was another forward since, where it has had its
  // backward, and where a parameter is no longer what it was.
  Engine& TakeUp() const {
    TORCH_CHECK(engine_->pending() == forward_,
                "only the last forward of the fused network can be "
                "differentiated, and once");
    TORCH_CHECK(tensors_->Version() == version_,
                "a parameter of the fused network has changed since the "
                "forward that is differentiated");
    return *engine_;
  }

 private:
  const std::shared_ptr<Engine> engine_;
  const std::shared_ptr<EngineTensors> tensors_;
  const int64_t forward_;
  const uint64_t version_;
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_ENGINE_TENSORS_H_
