#include "fairdarts/runtime/cuda/convolution_weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/types/span.h"
#include "fairdarts/base/check.h"
#include "fairdarts/runtime/cuda/stored_elements.h"

namespace fairdarts {
namespace {

// What CUDA aligns its own allocations to.
constexpr size_t kAlignment = 256;

template <typename T>
bool StayFinite(const float* values, int count) {
  return std::all_of(values, values + count, [](float value) {
    return std::isfinite(ToFloat(FromFloat<T>(value)));
  });
}

// Where a part begins.
int64_t Append(const std::vector<char>& part, std::vector<char>* bytes) {
  bytes->resize((bytes->size() + kAlignment - 1) / kAlignment * kAlignment);
  const int64_t offset = static_cast<int64_t>(bytes->size());
  bytes->insert(bytes->end(), part.begin(), part.end());
  return offset;
}

}  // namespace

std::vector<char> UnpackFilter(const StagePlan& plan, const StageTask& task) {
  FD_CHECK(IsPlainConvolution(plan, task));
  const StageSegment& segment = plan.segments[task.first_segment];
  const int64_t bytes = ElementBytes(plan.precision);
  const int depth =
      segment.kernel_height * segment.kernel_width * segment.in.channels;
  const int tiles = StageColumnTiles(task);
  std::vector<char> filter(bytes * depth * task.out.channels);
  char* next = filter.data();
  for (int n = 0; n < task.out.channels; ++n) {
    for (int k = 0; k < depth; ++k) {
      const int64_t element = MatrixElement(segment, tiles, k, n);
      std::memcpy(next, plan.weights.data() + element * bytes, bytes);
      next += bytes;
    }
  }
  return filter;
}

std::vector<char> RoundBias(const StagePlan& plan, const StageTask& task) {
  FD_CHECK_GE(task.bias, 0);
  return StoredElements(
      absl::MakeConstSpan(plan.biases.data() + task.bias, task.out.channels),
      plan.precision);
}

bool BiasFits(const StagePlan& plan, const StageTask& task) {
  FD_CHECK_GE(task.bias, 0);
  const float* const bias = plan.biases.data() + task.bias;
  switch (plan.precision) {
    case Precision::kFloat16:
      return StayFinite<Half>(bias, task.out.channels);
    case Precision::kBFloat16:
      return StayFinite<BFloat16>(bias, task.out.channels);
    case Precision::kFloat32:
      break;
  }
  return true;
}

ConvolutionWeights UnpackConvolutions(const StagePlan& plan) {
  ConvolutionWeights weights;
  weights.places.resize(plan.segments.size());
  for (const StageTask& task : plan.tasks) {
    if (!IsPlainConvolution(plan, task)) continue;
    ConvolutionWeights::Place& place = weights.places[task.first_segment];
    place.filter = Append(UnpackFilter(plan, task), &weights.bytes);
    place.bias = Append(RoundBias(plan, task), &weights.bytes);
  }
  return weights;
}

}  // namespace fairdarts
