#ifndef SEARCH_SPACE_ENGINE_TENSORS_H_
#define SEARCH_SPACE_ENGINE_TENSORS_H_

// The tensors of a module as views into the flat buffers of an engine
// (search_space/engine).

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "search_space/engine/network_layout.h"

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

}  // namespace fairdarts

#endif  // SEARCH_SPACE_ENGINE_TENSORS_H_
