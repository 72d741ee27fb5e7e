#ifndef SEARCH_SPACE_ENGINE_CELL_OUTPUTS_H_
#define SEARCH_SPACE_ENGINE_CELL_OUTPUTS_H_

// The outputs of stem and cells one above another, with their gradients: what
// every network of cells passes from one to the next.

#include <array>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "search_space/engine/cell.h"
#include "search_space/engine/lane_tensor.h"
#include "search_space/engine/stem.h"
#include "search_space/engine/worker.h"

namespace fairdarts {

// Gradients of outputs that are alive at once: of a cell's output and of both
// its inputs.
inline constexpr int kOutputGradients = 3;

class CellOutputs {
 public:
  // Begins anew with the stem's; the cells' follow in order.
  void Begin(const LaneTensor& stem) { outputs_ = {stem}; }
  void Add(const LaneTensor& cell) { outputs_.push_back(cell); }
  // Memory for the gradients of successive outputs, of the largest each.
  void SetGradientMemory(const std::array<float*, kOutputGradients>& memory) {
    gradients_ = memory;
  }

  int size() const { return static_cast<int>(outputs_.size()); }
  const LaneTensor& last() const { return outputs_.back(); }
  // 0: the stem's, then the cells'. In front of it stands the stem's again,
  // which is both inputs of the first cell.
  const LaneTensor& Output(int index) const;
  LaneTensor Gradient(int index) const;

  // What a cell works on.
  CellTensors Around(int cell) const;
  CellTensors GradientsAround(int cell) const;

  // An error where batch norm would see one value a channel of the last output.
  absl::Status CheckTraining(const Images& images) const;

  // Means over the maps of the last output, [images][channels]. All threads
  // together; each leaves those of its own blocks.
  void Means(Team& team, int thread, const BatchBlocks& batch,
             const EngineKernels& kernels, float* means, Worker& worker) const;

 private:
  std::vector<LaneTensor> outputs_;
  std::array<float*, kOutputGradients> gradients_ = {};
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_ENGINE_CELL_OUTPUTS_H_
