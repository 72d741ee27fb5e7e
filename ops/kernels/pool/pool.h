#ifndef OPS_KERNELS_POOL_POOL_H_
#define OPS_KERNELS_POOL_POOL_H_

// 3x3 pools of one image, padded by 1; what is padded takes no part:
//   out[c][y][x] (+)= scale * max or average over the window.

#include <cstdint>

#include "ops/kernels/isa.h"

namespace fairdarts {

struct PoolArguments {
  int channels;
  int height;  // of the input, as width; from 1 on
  int width;
  int stride;    // 1 or 2
  bool average;  // else the maximum
  const float* in;
  int64_t in_stride;
  float* out;
  int64_t out_stride;
  float scale;
  bool accumulate;  // add to what `out` holds
};

// Thread-safe; allocates nothing.
using PoolFunction = void (*)(const PoolArguments&);

// Our own bug (FD_CHECK) where the machine cannot run it.
PoolFunction PoolFor(Isa isa);

}  // namespace fairdarts

#endif  // OPS_KERNELS_POOL_POOL_H_
