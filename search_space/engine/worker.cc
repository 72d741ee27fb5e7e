#include "search_space/engine/worker.h"

#include <algorithm>

namespace fairdarts {

EngineKernels::EngineKernels(Isa isa)
    : isa(isa),
      gemm(LaneGemmFor(isa)),
      gemm_weight_gradient(LaneGemmWeightGradientFor(isa)),
      sums(LaneSumsFor(isa)),
      dots(LaneDotsFor(isa)),
      weighted_sum(LaneWeightedSumFor(isa)),
      masked_dots(LaneMaskedDotsFor(isa)),
      relu(LaneReluFor(isa)),
      relu_gradient(LaneReluGradientFor(isa)),
      max_pool(LaneMaxPoolFor(isa)),
      average_pool(LaneAveragePoolFor(isa)),
      max_pool_gradient(LaneMaxPoolGradientFor(isa)),
      average_pool_gradient(LaneAveragePoolGradientFor(isa)) {}

void WorkerSizes::Cover(const WorkerSizes& other) {
  slab = std::max(slab, other.slab);
  block = std::max(block, other.block);
  sums = std::max(sums, other.sums);
}

Worker::Worker(const WorkerSizes& sizes)
    : slab_a(AllocateLanes(sizes.slab)),
      slab_b(AllocateLanes(sizes.slab)),
      block_a(AllocateLanes(sizes.block)),
      block_b(AllocateLanes(sizes.block)),
      sums(AllocateLanes(sizes.sums * kLanes)) {}

void BlockGradients::Begin(int block, int64_t begin, int64_t end) {
  std::fill_n(At(block, begin, begin), end - begin, 0.0f);
}

void BlockGradients::Sum(int thread, int threads, int blocks, int64_t begin,
                         int64_t end, float* gradients) const {
  const int64_t size = end - begin;
  for (int64_t i = size * thread / threads; i < size * (thread + 1) / threads;
       ++i) {
    double sum = 0;
    for (int b = 0; b < blocks; ++b) sum += values_[largest_ * b + i];
    gradients[begin + i] = static_cast<float>(sum);
  }
}

}  // namespace fairdarts
