#ifndef FAIRDARTS_RUNTIME_CUDA_CONVOLUTION_REFERENCE_H_
#define FAIRDARTS_RUNTIME_CUDA_CONVOLUTION_REFERENCE_H_

// A plain convolution of a schedule by its definition (ops/cuda/stage.h), for
// tests.

#include <cmath>
#include <cstdint>

#include "fairdarts/runtime/cuda/stage_plan.h"
#include "fairdarts/runtime/cuda/stage_schedule.h"
#include "ops/cuda/element.h"
#include "ops/cuda/stage.h"

namespace fairdarts {

// Before it is rounded to the maps' type, and the sum of the sizes of what was
// summed up, which bounds how far a float32 sum may be off.
struct ReferenceElement {
  double value;
  double magnitude;
};

// Element (n, y, x, k) of what the task writes. T: an element; `arena` and the
// plan's weights hold such.
template <typename T>
ReferenceElement ReferenceConvolution(const StagePlan& plan,
                                      const StageSchedule& schedule,
                                      const StageTask& task, const T* arena,
                                      int n, int y, int x, int k) {
  const StageSegment& segment = schedule.segments[task.first_segment];
  const StageMap& in = segment.in;
  const T* const weights = reinterpret_cast<const T*>(plan.weights.data());
  const int tiles = StageColumnTiles(task);
  // The library takes the bias in the maps' type.
  const double bias = ToFloat(FromFloat<T>(plan.biases[task.bias + k]));
  ReferenceElement sum = {bias, std::abs(bias)};
  for (int r = 0; r < segment.kernel_height; ++r) {
    for (int s = 0; s < segment.kernel_width; ++s) {
      const int row =
          y * segment.stride_height - segment.pad_top + r * segment.dilation;
      const int column =
          x * segment.stride_width - segment.pad_left + s * segment.dilation;
      if (row < 0 || row >= in.height || column < 0 || column >= in.width) {
        continue;
      }
      const T* const pixel =
          arena + in.offset +
          ((int64_t{n} * in.height + row) * in.width + column) * in.pitch;
      for (int c = 0; c < in.channels; ++c) {
        const int depth = (r * segment.kernel_width + s) * in.channels + c;
        const int64_t tile =
            int64_t{depth / kStageTile} * tiles + k / kStageTile;
        const double term =
            double{ToFloat(pixel[c])} *
            ToFloat(weights[segment.matrix + tile * kStageTileElements +
                            depth % kStageTile * kStageTile + k % kStageTile]);
        sum.value += term;
        sum.magnitude += std::abs(term);
      }
    }
  }
  if (task.relu != 0 && sum.value < 0) sum.value = 0;
  return sum;
}

// Half of the last bit of a number that is 1, by which rounding to an element
// may change it.
template <typename T>
constexpr double kRounding = 0x1p-24;
template <>
inline constexpr double kRounding<Half> = 0x1p-11;
template <>
inline constexpr double kRounding<BFloat16> = 0x1p-8;
// Half of the smallest binary16 number; what is smaller in the other types is
// nothing here.
inline constexpr double kSmallest = 0x1p-25;

// How far the library's element may be from the reference's: it is rounded once
// to T, and each of the float32 products and additions behind it, one of each
// for every term, rounds what is no larger than the magnitude. Tensor cores do
// not round products and cut sums off, by twice as much: no more in all.
template <typename T>
double ConvolutionTolerance(const StageSegment& segment,
                            const ReferenceElement& reference) {
  const int terms =
      segment.kernel_height * segment.kernel_width * segment.in.channels + 1;
  const double sums = 2 * terms * kRounding<float> * reference.magnitude;
  return sums + kRounding<T> * (std::abs(reference.value) + sums) + kSmallest;
}

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_CUDA_CONVOLUTION_REFERENCE_H_
