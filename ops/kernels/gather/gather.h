#ifndef OPS_KERNELS_GATHER_GATHER_H_
#define OPS_KERNELS_GATHER_GATHER_H_

// Lays out what a dense convolution reads, so that it becomes a gemm:
//   out[(c * kernel_height + r) * kernel_width + s][y][x] =
//     in[c][(first_row + y) * stride_height + r * dilation - pad_top]
//          [x * stride_width + s * dilation - pad_left], 0 outside.

#include <cstdint>

#include "ops/kernels/isa.h"

namespace fairdarts {

struct GatherArguments {
  const float* in;
  int64_t in_stride;
  int channels;
  int height;  // of the input, as width
  int width;
  int kernel_height;
  int kernel_width;
  int stride_height;
  int stride_width;  // 1 or 2
  int dilation;
  int pad_top;  // negative: begin further in
  int pad_left;
  int first_row;  // of the outputs
  int rows;
  int out_width;
  float* out;
  int64_t out_stride;  // at least rows * out_width
};

// Thread-safe; allocates nothing.
using GatherFunction = void (*)(const GatherArguments&);

// Our own bug (FD_CHECK) where the machine cannot run it.
GatherFunction GatherFor(Isa isa);

}  // namespace fairdarts

#endif  // OPS_KERNELS_GATHER_GATHER_H_
