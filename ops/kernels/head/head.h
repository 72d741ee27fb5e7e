#ifndef OPS_KERNELS_HEAD_HEAD_H_
#define OPS_KERNELS_HEAD_HEAD_H_

// The end of a network: the average of each map, and a linear layer of it.

#include <cstdint>

namespace fairdarts {

struct MapAverageArguments {
  const float* in;
  int64_t in_stride;
  int channels;
  int width;          // of the maps
  int window_height;  // at the top left
  int window_width;
  float* out;  // [channels], `out_stride` floats apart
  int64_t out_stride;
};

// Thread-safe; allocates nothing.
void MapAverage(const MapAverageArguments& arguments);

struct LinearArguments {
  const float* weights;  // [rows][depth]
  const float* bias;     // [rows]
  const float* in;       // [depth]
  float* out;            // [rows]
  int rows;
  int depth;
};

// out[m] = bias[m] + sum over k of weights[m][k] * in[k]. As above.
void Linear(const LinearArguments& arguments);

}  // namespace fairdarts

#endif  // OPS_KERNELS_HEAD_HEAD_H_
