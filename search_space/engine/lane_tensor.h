#ifndef SEARCH_SPACE_ENGINE_LANE_TENSOR_H_
#define SEARCH_SPACE_ENGINE_LANE_TENSOR_H_

// Tensors in the layout of ops/kernels/lanes.h, and the memory they live in.

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "ops/kernels/lane_depthwise/lane_depthwise.h"
#include "ops/kernels/lane_norm/lane_norm.h"
#include "ops/kernels/lanes.h"

namespace fairdarts {

// A view of some channels of [blocks][height][channels][width][kLanes].
struct LaneTensor {
  float* data = nullptr;
  int channels = 0;
  int height = 0;
  int width = 0;
  int64_t row = 0;    // floats from one to the next
  int64_t block = 0;  // the same

  float* Row(int b, int y) const { return data + b * block + y * row; }
  int64_t channel() const { return int64_t{width} * kLanes; }
  LaneRowShape row_shape() const { return {channels, width}; }
  LaneRows rows(int b) const { return {data + b * block, row, channel()}; }

  LaneTensor Channels(int first, int count) const {
    LaneTensor part = *this;
    part.data += first * channel();
    part.channels = count;
    return part;
  }
};

// Of a weighted sum whose lanes have their own (lane_norm).
struct LaneFactors {
  const float* factors = nullptr;
  const float* terms = nullptr;
};

// Floats that LaneTensorAt() needs for one block.
inline int64_t LaneTensorSize(int channels, int height, int width) {
  return int64_t{channels} * height * width * kLanes;
}

// A tensor without gaps at `data`.
inline LaneTensor LaneTensorAt(float* data, int channels, int height,
                               int width) {
  const int64_t row = int64_t{channels} * width * kLanes;
  return {data, channels, height, width, row, row * height};
}

struct FreeMemory {
  void operator()(void* memory) const { std::free(memory); }
};

// Uninitialised memory for `size` floats, in large pages where the system has
// them; throws std::bad_alloc where there is none, like new.
using LaneMemory = std::unique_ptr<float[], FreeMemory>;
LaneMemory AllocateLanes(int64_t size);

}  // namespace fairdarts

#endif  // SEARCH_SPACE_ENGINE_LANE_TENSOR_H_
