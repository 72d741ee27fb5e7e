#include "ops/kernels/head/head.h"

namespace fairdarts {
namespace {

// Independent partial sums, which become vectors: a compiler may not reorder
// one sum by itself.
constexpr int kPartialSums = 16;

}  // namespace

void MapAverage(const MapAverageArguments& a) {
  const float pixels = static_cast<float>(a.window_height * a.window_width);
  for (int c = 0; c < a.channels; ++c) {
    float sum = 0;
    for (int y = 0; y < a.window_height; ++y) {
      const float* const row = a.in + c * a.in_stride + int64_t{y} * a.width;
      float row_sum = 0;
      for (int x = 0; x < a.window_width; ++x) row_sum += row[x];
      sum += row_sum;
    }
    a.out[c * a.out_stride] = sum / pixels;
  }
}

void Linear(const LinearArguments& a) {
  for (int m = 0; m < a.rows; ++m) {
    const float* const weights = a.weights + int64_t{m} * a.depth;
    float partial[kPartialSums] = {};
    int k = 0;
    for (; k + kPartialSums <= a.depth; k += kPartialSums) {
      for (int i = 0; i < kPartialSums; ++i) {
        partial[i] += weights[k + i] * a.in[k + i];
      }
    }
    float sum = 0;
    for (; k < a.depth; ++k) sum += weights[k] * a.in[k];
    for (const float value : partial) sum += value;
    a.out[m] = sum + a.bias[m];
  }
}

}  // namespace fairdarts
