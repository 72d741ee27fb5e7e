#ifndef OPS_KERNELS_LANE_POOL_LANE_POOL_H_
#define OPS_KERNELS_LANE_POOL_LANE_POOL_H_

// The 3x3 pools with padding 1 and their gradients in the layout of lanes.h, a
// row at a time:
//
//   max: the largest of the window; its gradient goes to the first of them in
//        the order of rows and columns. A NaN is larger than every number.
//   average: over the pixels of the window that are inside of the image.

#include <cstdint>

#include "ops/kernels/isa.h"

namespace fairdarts {

struct LanePoolShape {
  int stride;  // 1 or 2
  int channels;
  int height;  // of the input, as width; from 1 on
  int width;

  int out_height() const { return (height + stride - 1) / stride; }
  int out_width() const { return (width + stride - 1) / stride; }
};

// Rows of both tensors have no gaps: [channels][columns][kLanes].
struct LanePoolArguments {
  LanePoolShape shape;
  const float* in;  // all rows of a block
  int64_t in_row;   // floats from one to the next
  int y;            // the row of the result
  float* out;
  uint8_t* taps;  // max: where it was in the window, 3 * row + column; of the
                  // shape of `out`
};

struct LanePoolGradientArguments {
  LanePoolShape shape;
  const float* dout;  // all rows of a block, as `taps`
  int64_t dout_row;
  const uint8_t* taps;  // max alone
  int y;                // the row of the result
  float* din;           // is added to
};

// Thread-safe; allocate nothing.
using LanePoolFunction = void (*)(const LanePoolArguments&);
using LanePoolGradientFunction = void (*)(const LanePoolGradientArguments&);

// Our own bug (FD_CHECK) where the machine cannot run it.
LanePoolFunction LaneMaxPoolFor(Isa isa);
LanePoolFunction LaneAveragePoolFor(Isa isa);
LanePoolGradientFunction LaneMaxPoolGradientFor(Isa isa);
LanePoolGradientFunction LaneAveragePoolGradientFor(Isa isa);

}  // namespace fairdarts

#endif  // OPS_KERNELS_LANE_POOL_LANE_POOL_H_
