#ifndef OPS_KERNELS_LANE_NOISE_LANE_NOISE_H_
#define OPS_KERNELS_LANE_NOISE_LANE_NOISE_H_

// Noise on a row of a map in the layout of lanes.h: to = x + scale * n, where n
// is a pure function of the key of its image, of its channel, row and column,
// the same in every call and, up to rounding, on every instruction set.
//
// Columns 2i and 2i + 1 share element (channel * 2^20 + row) * 2^20 + i of the
// RandomStream of the key; h and l are its high and its low 32 bits.
//
//   normal   Box and Muller: with u = floor(h / 2^8) / 2^24, v of l alike,
//            sqrt(-2 log(1 - u)) times cos(2 pi v), sin(2 pi v); below 5.8
//   uniform  the integers from -3 to 2: floor(6 floor(w / 2^3) / 2^29) - 3 of
//            w = l, h; none is off a sixth by more than 2^-29
//
// Channels are below 2^24, rows below 2^20, columns below 2^21.

#include <cstdint>

#include "ops/kernels/isa.h"

namespace fairdarts {

struct LaneNoiseArguments {
  int channels;
  int width;
  const float* x;        // [channels][width][kLanes]
  const uint64_t* keys;  // [kLanes]
  int row;               // the number of the row within the map
  float scale;
  float* to;  // as x, which it may be
};

// Thread-safe; allocate nothing.
using LaneNoiseFunction = void (*)(const LaneNoiseArguments&);

// Our own bug (FD_CHECK) where the machine cannot run it.
LaneNoiseFunction LaneNormalNoiseFor(Isa isa);
LaneNoiseFunction LaneUniformNoiseFor(Isa isa);

}  // namespace fairdarts

#endif  // OPS_KERNELS_LANE_NOISE_LANE_NOISE_H_
