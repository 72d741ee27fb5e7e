#ifndef OPS_KERNELS_LANE_NORM_LANE_NORM_H_
#define OPS_KERNELS_LANE_NORM_LANE_NORM_H_

// What batch norm, ReLU and the sums of a node need, row by row in the layout
// of lanes.h. Batch norm without affine parameters is, per channel,
//
//   yhat = r * (y - m),  m = mean(y),  r = 1 / sqrt(var(y) + epsilon)
//
// over all images, rows and columns, so its forward is LaneSums over all rows,
// then a weighted sum a*y + b wherever yhat is wanted. With g the gradient of
// yhat its backward
//
//   dy = r * (g - mean(g) - yhat * mean(g * yhat))
//
// is LaneDots over all rows, then the weighted sum A*g + B*y + D.
//
// Inputs are rows without gaps: [channels][width][kLanes].

#include <cstdint>

#include "ops/kernels/isa.h"

namespace fairdarts {

// The largest number of rows that a kernel takes at once.
inline constexpr int kLaneInputs = 8;

struct LaneRowShape {
  int channels;
  int width;
};

struct LaneSumsArguments {
  LaneRowShape shape;
  const float* y;
  float* sum;      // [channels][kLanes] += y
  float* squares;  // [channels][kLanes] += y * y
};

struct LaneDotsArguments {
  LaneRowShape shape;
  int inputs;  // at most kLaneInputs
  const float* y[kLaneInputs];
  const float* g;
  float* sum;   // [channels][kLanes] += g
  float* dots;  // [inputs][channels][kLanes] += g * y
};

struct LaneWeightedSumArguments {
  LaneRowShape shape;
  int inputs;  // at most kLaneInputs
  const float* y[kLaneInputs];
  const float* factors;  // [inputs][channels]
  const float* terms;    // [channels]
  float* to;             // may be one of the inputs
  int64_t to_channel;
  bool relu;
  // Each lane has its own: factors [inputs][channels][kLanes], terms
  // [channels][kLanes]. Zeros clear the lanes without an image.
  bool lane_factors = false;
};

// The backward of z = max(a*y + b, 0): g *= (a*y + b > 0), in place, and the
// sums of LaneDots over the result.
struct LaneMaskedDotsArguments {
  LaneRowShape shape;
  const float* y;
  const float* factors;  // a, [channels]
  const float* terms;    // b, [channels]
  float* g;
  float* sum;
  float* dots;
};

// to = max(x, 0) of every stride-th column from `first` on, and zero where
// there is none: `to` has (shape.width + stride - 1) / stride columns.
struct LaneReluArguments {
  LaneRowShape shape;  // of x
  const float* x;
  int stride;
  int first;
  float* to;
  int64_t to_channel;
};

// The backward of the same, added: for the columns x that it took,
//   to[x] += x > 0 ? g[x'] : 0.
struct LaneReluGradientArguments {
  LaneRowShape shape;  // of x and `to`
  const float* x;      // null: nothing is masked
  int stride;
  int first;
  const float* g;
  int64_t g_channel;
  float* to;
};

// Thread-safe; allocate nothing. A NaN stays one, also behind a ReLU.
using LaneSumsFunction = void (*)(const LaneSumsArguments&);
using LaneDotsFunction = void (*)(const LaneDotsArguments&);
using LaneWeightedSumFunction = void (*)(const LaneWeightedSumArguments&);
using LaneMaskedDotsFunction = void (*)(const LaneMaskedDotsArguments&);
using LaneReluFunction = void (*)(const LaneReluArguments&);
using LaneReluGradientFunction = void (*)(const LaneReluGradientArguments&);

// Our own bug (FD_CHECK) where the machine cannot run it.
LaneSumsFunction LaneSumsFor(Isa isa);
LaneDotsFunction LaneDotsFor(Isa isa);
LaneWeightedSumFunction LaneWeightedSumFor(Isa isa);
LaneMaskedDotsFunction LaneMaskedDotsFor(Isa isa);
LaneReluFunction LaneReluFor(Isa isa);
LaneReluGradientFunction LaneReluGradientFor(Isa isa);

// Zeros in the lanes from `lanes` on, for rows of a block that has fewer images
// than lanes; channels are `channel` floats apart.
void ClearLanes(const LaneRowShape& shape, int lanes, float* row,
                int64_t channel);

}  // namespace fairdarts

#endif  // OPS_KERNELS_LANE_NORM_LANE_NORM_H_
