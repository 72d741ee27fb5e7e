#ifndef SEARCH_SPACE_ENGINE_SEPARABLE_H_
#define SEARCH_SPACE_ENGINE_SEPARABLE_H_

// Depthwise convolution, 1x1 convolution, batch norm: half of a sep_conv, or a
// dil_conv. The ReLU before them is the business of who makes the input.

#include "ops/kernels/lane_depthwise/lane_depthwise.h"
#include "search_space/engine/batch_norm.h"
#include "search_space/engine/lane_tensor.h"
#include "search_space/engine/network_layout.h"
#include "search_space/engine/worker.h"

namespace fairdarts {

class Separable {
 public:
  // `y` is where the output of the 1x1 convolution is kept, all blocks.
  Separable(const EngineKernels* kernels, const SeparableLayout& layout,
            const LaneDepthwiseShape& shape, float* running);

  void SetOutput(const LaneTensor& y) { y_ = y; }
  const LaneTensor& y() const { return y_; }
  LaneBatchNorm& norm() { return norm_; }
  const LaneBatchNorm& norm() const { return norm_; }
  const LaneDepthwiseShape& shape() const { return shape_; }
  WorkerSizes Sizes() const;

  // Takes over new weights; `parameters` stay where they are till the backward.
  void Pack(const float* parameters);

  // Row `row` of y from all rows of the input, and its part of the sums
  // [2][channels][kLanes] for norm().
  void ForwardRow(const LaneRows& z, int block, int row, float* sums,
                  Worker& worker) const;

  // max(a*y + b, 0) of a row: the input of the second half of a sep_conv.
  void NormalizedRelu(const BatchBlocks& batch, int block, int row,
                      float* to) const;

  // One block of the backward: with dy = A*g + B*y + D,
  //   dz (+)= depthwise^T(pointwise^T(dy)).
  // Where `previous` is not null the input was its NormalizedRelu() (`z` is not
  // read): dz is masked by that and `sums` [2][channels][kLanes] are those of
  // dz and dz * previous->y(). Weight gradients where they are not null. Where
  // `lanes` has factors, they are the A and B of each lane, and D its terms.
  struct BackwardArguments {
    LaneTensor g;
    LaneRows z;
    const Separable* previous;
    LaneTensor dz;
    bool accumulate;
    float* sums;
    float* depthwise_gradient;
    float* pointwise_gradient;
    LaneFactors lanes = {};
  };
  void Backward(const BatchBlocks& batch, int block,
                const BackwardArguments& arguments, Worker& worker) const;

  const SeparableLayout& layout() const { return layout_; }

 private:
  const EngineKernels* kernels_;
  SeparableLayout layout_;
  LaneDepthwiseShape shape_;
  LaneDepthwiseFunction depthwise_;
  LaneDepthwiseFunction depthwise_gradient_;
  LaneDepthwiseWeightFunction depthwise_weight_gradient_;
  const float* weights_ = nullptr;  // of the depthwise convolution
  std::vector<float> packed_;
  std::vector<float> packed_transposed_;
  LaneTensor y_;
  LaneBatchNorm norm_;
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_ENGINE_SEPARABLE_H_
