#ifndef SEARCH_SPACE_ENGINE_POINTWISE_H_
#define SEARCH_SPACE_ENGINE_POINTWISE_H_

// ReLU, 1x1 convolution, batch norm (ReluConvBn), or ReLU, two 1x1 convolutions
// of stride 2 side by side, batch norm (FactorizedReduce); see //ops.

#include "search_space/engine/batch_norm.h"
#include "search_space/engine/lane_tensor.h"
#include "search_space/engine/network_layout.h"
#include "search_space/engine/worker.h"

namespace fairdarts {

class Pointwise {
 public:
  Pointwise(const EngineKernels* kernels, const PointwiseLayout& layout,
            int in_channels, int out_channels, bool reduce, float* running);

  LaneBatchNorm& norm() { return norm_; }
  const LaneBatchNorm& norm() const { return norm_; }
  int in_channels() const { return in_channels_; }
  int64_t begin() const { return layout_.weight; }
  int64_t end() const { return begin() + int64_t{in_channels_} * channels_; }
  WorkerSizes Sizes(int width) const;

  // Takes over new weights.
  void Pack(const float* parameters);

  // One block: y = the convolution of max(x, 0), and its sums for norm().
  void Forward(const BatchBlocks& batch, int block, const LaneTensor& x,
               const LaneTensor& y, Worker& worker);

  // One block, from norm()'s backward: with dy = A*g + B*of + D,
  //   dx += (x > 0) * w^T dy; weight gradients where `gradients` is not null.
  // dx may be without data where it is not wanted; `masked` false leaves the
  // (x > 0) out. Where `own` has factors, they are the A and B of each lane,
  // and D its terms.
  void Backward(const BatchBlocks& batch, int block, const LaneTensor& g,
                const LaneTensor& of, const LaneTensor& x, bool masked,
                const LaneTensor& dx, float* gradients, Worker& worker,
                const LaneFactors& own = {}) const;

 private:
  int parts() const { return reduce_ ? 2 : 1; }
  int stride() const { return parts(); }
  int part_channels() const { return channels_ / parts(); }

  const EngineKernels* kernels_;
  PointwiseLayout layout_;
  int in_channels_;
  int channels_;
  bool reduce_;
  std::vector<float> packed_;
  std::vector<float> packed_transposed_;
  LaneBatchNorm norm_;
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_ENGINE_POINTWISE_H_
