#ifndef SEARCH_SPACE_ENGINE_DERIVED_ENGINE_H_
#define SEARCH_SPACE_ENGINE_DERIVED_ENGINE_H_

// Stem and cells of a derived CIFAR network (derived_network.h), forward and
// backward, without LibTorch: the same mathematics, other sums of the same
// terms.

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "genotypes/cost.h"
#include "genotypes/genotype.h"
#include "ops/kernels/isa.h"
#include "search_space/engine/cell_outputs.h"
#include "search_space/engine/derived_cell_engine.h"
#include "search_space/engine/derived_layout.h"
#include "search_space/engine/stem.h"
#include "search_space/engine/thread_team.h"
#include "search_space/engine/worker.h"

namespace fairdarts {

struct DerivedEngineOptions {
  int threads = 1;
  Isa isa = BestIsa();
};

// Memory is taken by the first forward of a size and kept, in blocks of kLanes
// images. Not thread-safe. The same calls give the same bits with every number
// of threads.
class DerivedEngine {
 public:
  // Both have passed ComputeNetworkCost. A usage error where the engine does
  // not have the network (CheckDerivedEngine), an environment error where the
  // system gives no more threads.
  static absl::StatusOr<std::unique_ptr<DerivedEngine>> Create(
      const Genotype& genotype, const NetworkConfig& config,
      const DerivedEngineOptions& options);

  const DerivedLayout& layout() const { return layout_; }

  // The flat buffers of the layout; they stay where they are. Statistics begin
  // as those of a new batch norm.
  float* parameters() { return parameters_.data(); }
  float* statistics() { return statistics_.data(); }

  // Channels of the last cell's output, and the shape of what the auxiliary
  // head reads, for images of this size.
  int64_t pooled_channels() const;
  int64_t auxiliary_channels() const;
  MapSize AuxiliaryMap(MapSize image) const;

  // Writes the means over the last cell's maps [count][pooled_channels()], and
  // where `auxiliary` is not null what the auxiliary head reads [count]
  // [channels][height][width]. Moves the running statistics. An error where
  // batch norm would see one value a channel.
  absl::Status Forward(const Images& images, const PathScales& paths,
                       float* pooled, float* auxiliary);

  // The same means in evaluation mode, of any number of images: from the
  // running statistics, which stay as they are. Takes as much memory as the
  // largest batch so far, or as a block of images for each thread. Uses up a
  // forward.
  void Evaluate(const Images& images, float* pooled);

  // The number of the last forward, from 1 on, as long as it has its backward
  // before it; else 0.
  int64_t pending() const { return batch_.images > 0 ? forwards_ : 0; }

  // Of the last forward, which it uses up: from the gradients of both outputs
  // (null: zeros) those of all parameters, in their layout. What no gradient
  // reaches (DerivedLayout::Reached) has zeros.
  void Backward(const float* d_pooled, const float* d_auxiliary,
                float* parameter_gradients);

 private:
  DerivedEngine(const Genotype& genotype, const NetworkConfig& config,
                const DerivedEngineOptions& options,
                std::unique_ptr<ThreadTeam> threads);

  // Of this size, of blocks_ blocks.
  bool HasMemoryFor(const Images& images) const;
  void Prepare(const Images& images);
  void Allocate(int blocks);

  // Of images that there is memory for.
  void Run(const Images& images, const PathScales& paths,
           NormStatistics statistics, float* pooled, float* auxiliary);
  void Store(int thread, const LaneTensor& tensor, float* images);
  // Gives the gradient of an output what it begins with.
  void BeginGradient(int thread, int index, const float* d_pooled,
                     const float* d_auxiliary);

  const DerivedLayout layout_;
  const EngineKernels kernels_;
  const std::unique_ptr<ThreadTeam> threads_;
  Team team_;

  std::vector<float> parameters_;
  std::vector<float> statistics_;
  std::vector<float> path_scales_;  // of the last forward

  int64_t forwards_ = 0;
  // Of the last forward; none once it is used up.
  BatchBlocks batch_;
  MapSize image_size_;
  int blocks_ = 0;  // that there is memory for
  Stem stem_;
  std::vector<DerivedCellEngine> cells_;
  std::vector<Worker> workers_;
  std::vector<CellWorker> cell_workers_;
  LaneMemory saved_;
  LaneMemory scratch_;
  CellOutputs outputs_;
  // Of two successive cells.
  std::array<BlockGradients, 2> block_gradients_;
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_ENGINE_DERIVED_ENGINE_H_
