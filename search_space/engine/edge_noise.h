#ifndef SEARCH_SPACE_ENGINE_EDGE_NOISE_H_
#define SEARCH_SPACE_ENGINE_EDGE_NOISE_H_

// The noise of skip_noise.h on one edge, the same for modules and engine.

#include <array>
#include <cstdint>

#include "ops/kernels/isa.h"
#include "ops/kernels/lane_noise/lane_noise.h"
#include "ops/kernels/lanes.h"
#include "search_space/skip_noise.h"

namespace fairdarts {

struct EdgeNoise {
  SkipNoise noise;
  int64_t forward = 0;  // training forwards before, since the noise was set
  int cell = 0;
  int edge = 0;  // in the order of genotypes/edge_layout.h

  bool on() const { return noise.on(); }
};

// For ops/kernels/lane_noise: the keys of the images from `first_image` on.
std::array<uint64_t, kLanes> LaneNoiseKeys(const EdgeNoise& edge,
                                           int64_t first_image);

// The kernel of a kind, which is not kNone.
LaneNoiseFunction LaneNoiseFor(SkipNoise::Kind kind, Isa isa);

// Writes scale * n of a whole batch, [images][channels][height][width].
struct NoiseShape {
  int images;
  int channels;
  int height;
  int width;
};
void FillNoise(const EdgeNoise& edge, const NoiseShape& shape, float* to);

}  // namespace fairdarts

#endif  // SEARCH_SPACE_ENGINE_EDGE_NOISE_H_
