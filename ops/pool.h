#ifndef OPS_POOL_H_
#define OPS_POOL_H_

#include <cstdint>
#include <memory>

#include "ops/operation.h"

namespace fairdarts {

enum class PoolKind { kMax, kAverage };

// max_pool_3x3 and avg_pool_3x3: the window has padding 1, which an average
// does not count. No parameters.
class Pool : public Operation {
 public:
  Pool(PoolKind kind, int64_t stride) : kind_(kind), stride_(stride) {}
  torch::Tensor forward(const torch::Tensor& x) override;

 private:
  const PoolKind kind_;
  const int64_t stride_;
};

// A pool as a candidate of a search: batch norm without affine parameters
// behind it brings its output to the scale of the other candidates (DARTS,
// arXiv 1806.09055). Names: 0 the pool, 1 the batch norm.
class NormalizedPool : public Operation {
 public:
  NormalizedPool(PoolKind kind, int64_t channels, int64_t stride);
  torch::Tensor forward(const torch::Tensor& x) override;

 private:
  std::shared_ptr<Pool> pool_;
  torch::nn::BatchNorm2d norm_;
};

}  // namespace fairdarts

#endif  // OPS_POOL_H_
