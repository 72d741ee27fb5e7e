#ifndef SEARCH_SPACE_ENGINE_STEM_H_
#define SEARCH_SPACE_ENGINE_STEM_H_

// The stem of a network for small images: a 3x3 convolution and batch norm with
// affine parameters.

#include <cstdint>
#include <vector>

#include "search_space/engine/batch_norm.h"
#include "search_space/engine/lane_tensor.h"
#include "search_space/engine/worker.h"

namespace fairdarts {

struct StemLayout {
  int image_channels = 0;
  int channels = 0;
  // Offsets of parameters; those of the norm follow the convolution's.
  int64_t weight = 0;
  int64_t norm_weight = 0;
  int64_t norm_bias = 0;
};

// Images as torch has them.
struct Images {
  const float* pixels;  // [count][channels][height][width]
  int count;
  int height;
  int width;
};

class Stem {
 public:
  // `parameters` stay where they are; `running` is [2][channels].
  Stem(const EngineKernels* kernels, const StemLayout& layout,
       const float* parameters, float* running);

  WorkerSizes Sizes(int width) const;
  // Floats of a block that are kept from forward to backward.
  int64_t SavedSize(int height, int width) const;
  int64_t LargestGradientRange() const { return end() - begin(); }
  void SetMemory(float* saved, int height, int width, int blocks);

  // All threads together.
  void Forward(Team& team, int thread, const BatchBlocks& batch,
               const Images& images, NormStatistics statistics,
               const LaneTensor& output, Worker& worker);
  // From the gradient of the output; writes the gradients of its parameters.
  void Backward(Team& team, int thread, const BatchBlocks& batch,
                const LaneTensor& g, BlockGradients& block_gradients,
                float* gradients, Worker& worker);

 private:
  int64_t begin() const { return layout_.weight; }
  int64_t end() const { return layout_.norm_weight; }
  int taps() const;
  void Load(const BatchBlocks& batch, int block, const Images& images);
  // The rows that the convolution reads for its row `row`.
  void Gather(int block, int row, float* slab) const;

  const EngineKernels* kernels_;
  StemLayout layout_;
  const float* parameters_;
  std::vector<float> packed_;
  LaneBatchNorm norm_;
  LaneTensor image_;
  LaneTensor y_;
  std::vector<double> block_sums_;  // [blocks][2][channels]
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_ENGINE_STEM_H_
