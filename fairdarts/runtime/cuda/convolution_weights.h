#ifndef FAIRDARTS_RUNTIME_CUDA_CONVOLUTION_WEIGHTS_H_
#define FAIRDARTS_RUNTIME_CUDA_CONVOLUTION_WEIGHTS_H_

// The weights of a lowered network's plain convolutions as a library of
// convolutions wants them.

#include <cstdint>
#include <vector>

#include "fairdarts/runtime/cuda/stage_plan.h"
#include "ops/cuda/stage.h"

namespace fairdarts {

// The filter of a task for which IsPlainConvolution holds, in elements of the
// plan's precision: [out channels][kernel height][kernel width][channels], the
// channels those of the maps, with zeros for those that the network does not
// have.
std::vector<char> UnpackFilter(const StagePlan& plan, const StageTask& task);

// Its biases, [out channels], in the same elements: rounded once.
std::vector<char> RoundBias(const StagePlan& plan, const StageTask& task);
// Whether none of them becomes infinite by that.
bool BiasFits(const StagePlan& plan, const StageTask& task);

// Those of all the plain convolutions, one behind the other.
struct ConvolutionWeights {
  // In bytes, multiples of 256; -1 where a segment is none of them.
  struct Place {
    int64_t filter = -1;
    int64_t bias = -1;
  };

  std::vector<Place> places;  // by segment, as in the plan
  std::vector<char> bytes;
};

ConvolutionWeights UnpackConvolutions(const StagePlan& plan);

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_CUDA_CONVOLUTION_WEIGHTS_H_
