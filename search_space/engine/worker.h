#ifndef SEARCH_SPACE_ENGINE_WORKER_H_
#define SEARCH_SPACE_ENGINE_WORKER_H_

// What every part of the engine is handed: the kernels, the batch, the memory
// that a thread works in, and how threads share the blocks of a batch.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "ops/kernels/isa.h"
#include "ops/kernels/lane_gemm/lane_gemm.h"
#include "ops/kernels/lane_norm/lane_norm.h"
#include "ops/kernels/lane_pool/lane_pool.h"
#include "search_space/engine/batch_norm.h"
#include "search_space/engine/lane_tensor.h"
#include "search_space/engine/thread_team.h"

namespace fairdarts {

struct EngineKernels {
  explicit EngineKernels(Isa isa);

  Isa isa;
  LaneGemmFunction gemm;
  LaneGemmWeightFunction gemm_weight_gradient;
  LaneSumsFunction sums;
  LaneDotsFunction dots;
  LaneWeightedSumFunction weighted_sum;
  LaneMaskedDotsFunction masked_dots;
  LaneReluFunction relu;
  LaneReluGradientFunction relu_gradient;
  LanePoolFunction max_pool;
  LanePoolFunction average_pool;
  LanePoolGradientFunction max_pool_gradient;
  LanePoolGradientFunction average_pool_gradient;
};

struct BatchBlocks {
  int images = 0;
  int blocks() const { return (images + kLanes - 1) / kLanes; }
  // Lanes of a block that hold an image.
  int lanes(int block) const {
    return block + 1 < blocks() ? kLanes : images - block * kLanes;
  }
};

// Sizes of what a thread works in, in floats, as the largest layer asks for.
struct WorkerSizes {
  int64_t slab = 0;   // some rows between two kernels
  int64_t block = 0;  // a block of a unit's activations
  int64_t sums = 0;   // channels, kLanes floats each
  void Cover(const WorkerSizes& other);
};

// One thread's memory.
struct Worker {
  explicit Worker(const WorkerSizes& sizes);

  LaneMemory slab_a;
  LaneMemory slab_b;
  LaneMemory block_a;
  LaneMemory block_b;
  // Sums of lanes, zeroed by whoever adds to them.
  LaneMemory sums;
};

// Floats between the channels of a slab: not a power of two (lanes.h).
inline int64_t SlabChannel(int width) { return int64_t{width + 1} * kLanes; }

// As many rows as fill about the first-level cache, so that what a call of a
// kernel costs beside its rows stays small for small maps.
inline int SlabRows(int width) { return width >= 32 ? 1 : 32 / width; }

// All threads run the same code; each takes the blocks b with
// b % active == thread, in every loop the same ones: what one loop wrote into a
// block the next may read without waiting. Threads for which a batch has no
// block are left out.
class Team {
 public:
  explicit Team(ThreadTeam* threads) : threads_(threads) {}

  int threads() const { return threads_->threads(); }
  // Within Run(): those that take part.
  int active() const { return active_; }

  void Run(const BatchBlocks& batch, absl::FunctionRef<void(int thread)> work) {
    active_ = std::min(threads(), batch.blocks());
    threads_->Run(active_, work);
  }

  template <typename Work>
  void ForBlocks(int thread, const BatchBlocks& batch, const Work& work) {
    for (int b = thread; b < batch.blocks(); b += active()) work(b);
  }

  // Waits for all threads, and runs `finish` once before they go on.
  void Barrier(absl::FunctionRef<void()> finish) { threads_->Barrier(finish); }

 private:
  ThreadTeam* threads_;
  int active_ = 1;
};

// Weight gradients of the parameters [begin, end), each block's apart, to be
// added in order: the number of threads does not change a bit.
class BlockGradients {
 public:
  explicit BlockGradients(int64_t largest) : largest_(largest) {}

  void Resize(int blocks) { values_.resize(largest_ * blocks); }
  void Begin(int block, int64_t begin, int64_t end);
  // Of the parameter at `offset`, within the range of Begin().
  float* At(int block, int64_t begin, int64_t offset) {
    return &values_[largest_ * block + offset - begin];
  }
  // Writes this thread's share of the range into `gradients`.
  void Sum(int thread, int threads, int blocks, int64_t begin, int64_t end,
           float* gradients) const;

 private:
  int64_t largest_;
  std::vector<float> values_;
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_ENGINE_WORKER_H_
