#ifndef OPS_KERNELS_LANE_DEPTHWISE_LANE_DEPTHWISE_H_
#define OPS_KERNELS_LANE_DEPTHWISE_LANE_DEPTHWISE_H_

// Depthwise convolution with both its gradients in the layout of lanes.h, a row
// or some rows of a block at a time:
//
//   out[c][y][x]  (+)= sum over r, s of w[c][r][s] * in[c][y*S + r*D - P]
//                                                     [x*S + s*D - P]
//   din           (+)= the transpose of that applied to dout
//   dw[c][r][s]    +=  sum over y, x and lanes of
//                      dout[c][y][x] * in[c][y*S + r*D - P][x*S + s*D - P]
//
// with stride S, dilation D and P = D * (kernel - 1) / 2; outside of the image
// `in` is zero.

#include <cstdint>

#include "ops/kernels/isa.h"

namespace fairdarts {

struct LaneDepthwiseShape {
  int kernel;    // 3, 5 or 7
  int stride;    // 1 or 2
  int dilation;  // 1 or 2, for kernel 7 only 1
  int channels;
  int height;  // of the input, as width; from 1 on
  int width;

  int padding() const { return dilation * (kernel - 1) / 2; }
  int out_height() const { return (height + stride - 1) / stride; }
  int out_width() const { return (width + stride - 1) / stride; }
};

// One block of a tensor; rows and channels in floats from one to the next.
struct LaneRows {
  const float* data;
  int64_t row;
  int64_t channel;
};

struct LaneDepthwiseArguments {
  LaneDepthwiseShape shape;
  const float* weights;  // [channels][kernel][kernel]
  LaneRows from;         // all rows: `in`, or `dout` for the input's gradient
  int y;                 // the row of the result
  float* to;             // that row
  int64_t to_channel;
  bool accumulate;
};

struct LaneDepthwiseWeightArguments {
  LaneDepthwiseShape shape;
  LaneRows in;     // all rows
  LaneRows dout;   // all rows
  int begin;       // the rows of dout that take part
  int end;         // the one behind them
  float* weights;  // dw, [channels][kernel][kernel]
};

// Thread-safe; allocate nothing; `to` overlaps nothing that is read.
using LaneDepthwiseFunction = void (*)(const LaneDepthwiseArguments&);
using LaneDepthwiseWeightFunction =
    void (*)(const LaneDepthwiseWeightArguments&);

// For the kernel, stride and dilation of `shape`. Our own bug (FD_CHECK) where
// there is none or the machine cannot run it.
LaneDepthwiseFunction LaneDepthwiseFor(Isa isa,
                                       const LaneDepthwiseShape& shape);
LaneDepthwiseFunction LaneDepthwiseGradientFor(Isa isa,
                                               const LaneDepthwiseShape& shape);
LaneDepthwiseWeightFunction LaneDepthwiseWeightGradientFor(
    Isa isa, const LaneDepthwiseShape& shape);

}  // namespace fairdarts

#endif  // OPS_KERNELS_LANE_DEPTHWISE_LANE_DEPTHWISE_H_
