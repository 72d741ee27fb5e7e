#ifndef SEARCH_SPACE_ENGINE_SEARCH_ENGINE_H_
#define SEARCH_SPACE_ENGINE_SEARCH_ENGINE_H_

// The S1 search network (s1_supernet.h), forward and backward, without
// LibTorch: the same mathematics, other sums of the same terms.

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ops/kernels/isa.h"
#include "search_space/engine/cell.h"
#include "search_space/engine/cell_outputs.h"
#include "search_space/engine/edge_noise.h"
#include "search_space/engine/engine_memory.h"
#include "search_space/engine/network_layout.h"
#include "search_space/engine/stem.h"
#include "search_space/engine/thread_team.h"
#include "search_space/engine/worker.h"
#include "search_space/s1_config.h"
#include "search_space/skip_noise.h"

namespace fairdarts {

struct SearchEngineOptions {
  int threads = 1;
  Isa isa = BestIsa();
};

// Memory is taken by the first forward of a size and kept: about 29 MB an image
// of 32x32 at C=16 and 8 cells, in blocks of kLanes images. Not thread-safe.
// The same calls give the same bits with every number of threads.
class SearchEngine {
 public:
  // `config` as S1Supernet::Create() takes it (our own bug where it does not).
  // An environment error where the system gives no more threads.
  static absl::StatusOr<std::unique_ptr<SearchEngine>> Create(
      const S1Config& config, const SearchEngineOptions& options);

  const S1Config& config() const { return config_; }
  const NetworkLayout& layout() const { return layout_; }

  // The flat buffers of the layout; they stay where they are. Statistics begin
  // as those of a new batch norm.
  float* parameters() { return parameters_.data(); }
  float* statistics() { return statistics_.data(); }

  // [14][7] weights of the edges' candidates of both kinds of cells.
  struct Weights {
    const float* normal;
    const float* reduce;
  };
  // Of the forwards from the next one on, until it is set again; the backward
  // of a forward before keeps its own. The error of CheckSkipNoise().
  absl::Status SetSkipNoise(const SkipNoise& noise);

  // Logits [count][classes]. Moves the running statistics. An error where batch
  // norm would see one value a channel.
  absl::Status Forward(const Images& images, const Weights& weights,
                       float* logits);

  // Logits in evaluation mode, of any number of images: from the running
  // statistics, which stay as they are. Takes as much memory as the largest
  // batch so far, or as a block of images for each thread. Uses up a forward.
  void Evaluate(const Images& images, const Weights& weights, float* logits);

  // The number of the last forward, from 1 on, as long as it has its backward
  // before it; else 0.
  int64_t pending() const { return batch_.images > 0 ? forwards_ : 0; }

  // Of the last forward, which it uses up: from the gradient of the logits
  // those of the edges' weights, empty where they are not wanted, and where
  // `parameter_gradients` is not null those of all parameters, in their layout.
  struct WeightGradients {
    std::vector<float> normal;
    std::vector<float> reduce;
  };
  WeightGradients Backward(const float* d_logits, float* parameter_gradients,
                           bool weight_gradients = true);

 private:
  SearchEngine(const S1Config& config, const SearchEngineOptions& options,
               std::unique_ptr<ThreadTeam> threads);

  // Of this size, of blocks_ blocks.
  bool HasMemoryFor(const Images& images) const;
  void Prepare(const Images& images);
  void Allocate(int blocks);
  CellTensors GradientsOf(int cell, bool with_parameters) const;
  const float* WeightsOf(int cell) const;

  // Of images that there is memory for.
  void Run(const Images& images, const Weights& weights,
           NormStatistics statistics, const EdgeNoise& noise, float* logits);
  void HeadForward(int thread, float* logits, Worker& worker);
  void HeadBackward(int thread, const float* d_logits,
                    float* parameter_gradients);

  const S1Config config_;
  const NetworkLayout layout_;
  const EngineKernels kernels_;
  const std::unique_ptr<ThreadTeam> threads_;
  Team team_;

  std::vector<float> parameters_;
  std::vector<float> statistics_;
  std::array<std::vector<float>, 2> weights_;  // normal, reduce

  EdgeNoise next_noise_;  // of the next forward
  EdgeNoise noise_;       // of the last one

  int64_t forwards_ = 0;
  // Of the last forward; none once it is used up.
  BatchBlocks batch_;
  MapSize image_size_;
  int blocks_ = 0;  // that there is memory for
  Stem stem_;
  std::vector<Cell> cells_;
  std::vector<Worker> workers_;
  LaneMemory saved_;
  LaneMemory scratch_;
  CellOutputs outputs_;
  std::vector<float> pooled_;  // [images][classifier channels]
  BlockGradients block_gradients_ = BlockGradients(0);
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_ENGINE_SEARCH_ENGINE_H_
