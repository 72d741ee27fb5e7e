#ifndef OPS_KERNELS_DEPTHWISE_DEPTHWISE_H_
#define OPS_KERNELS_DEPTHWISE_DEPTHWISE_H_

// Depthwise convolution of one image, padded with zeros by
// dilation * (kernel - 1) / 2:
//   out[c][y][x] = sum over r, s of weights[c][r][s] *
//     act(in[c][y * stride + r * dilation - pad][x * stride + s * dilation -
//     pad])
//
// At stride 2 each plane is first copied, with the activation, into a frame of
// zeros that stays in the first-level cache: even and odd columns go to planes
// of their own, so that vectors are loaded from successive floats there as
// well.

#include <cstdint>

#include "ops/kernels/isa.h"

namespace fairdarts {

struct DepthwiseShape {
  int channels;
  int height;  // of the input, as width; from 1 on
  int width;
  int kernel;    // 3, 5 or 7
  int stride;    // 1 or 2
  int dilation;  // 1 or 2; 1 for a kernel of 7

  int padding() const { return dilation * (kernel - 1) / 2; }
  int out_height() const { return (height + stride - 1) / stride; }
  int out_width() const { return (width + stride - 1) / stride; }
};

struct DepthwiseArguments {
  DepthwiseShape shape;
  const float* weights;  // [channels][kernel][kernel]
  const float* in;
  int64_t in_stride;
  float* out;
  int64_t out_stride;
  bool relu;       // act is max(x, 0), else the identity
  float* scratch;  // DepthwiseScratch(shape) floats
};

// Floats that a call needs to work in.
int64_t DepthwiseScratch(const DepthwiseShape& shape);

// Thread-safe; allocates nothing.
using DepthwiseFunction = void (*)(const DepthwiseArguments&);

// Our own bug (FD_CHECK) where the machine cannot run it.
DepthwiseFunction DepthwiseFor(Isa isa);

}  // namespace fairdarts

#endif  // OPS_KERNELS_DEPTHWISE_DEPTHWISE_H_
