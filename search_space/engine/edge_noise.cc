#include "search_space/engine/edge_noise.h"

#include <algorithm>
#include <vector>

#include "fairdarts/base/check.h"
#include "fairdarts/base/random.h"

namespace fairdarts {

std::array<uint64_t, kLanes> LaneNoiseKeys(const EdgeNoise& edge,
                                           int64_t first_image) {
  std::array<uint64_t, kLanes> keys;
  for (int lane = 0; lane < kLanes; ++lane) {
    keys[lane] =
        RandomStream(
            "search/skip_noise",
            {edge.noise.key, static_cast<uint64_t>(edge.forward),
             static_cast<uint64_t>(edge.cell), static_cast<uint64_t>(edge.edge),
             static_cast<uint64_t>(first_image + lane)})
            .Next();
  }
  return keys;
}

LaneNoiseFunction LaneNoiseFor(SkipNoise::Kind kind, Isa isa) {
  FD_CHECK(kind != SkipNoise::Kind::kNone);
  return kind == SkipNoise::Kind::kNormal ? LaneNormalNoiseFor(isa)
                                          : LaneUniformNoiseFor(isa);
}

void FillNoise(const EdgeNoise& edge, const NoiseShape& shape, float* to) {
  const LaneNoiseFunction noise = LaneNoiseFor(edge.noise.kind, BestIsa());
  const int64_t map = int64_t{shape.height} * shape.width;
  const int64_t size = int64_t{shape.channels} * shape.width * kLanes;
  const std::vector<float> zeros(size, 0.0f);
  std::vector<float> row(size);
  for (int first = 0; first < shape.images; first += kLanes) {
    const auto keys = LaneNoiseKeys(edge, first);
    const int lanes = std::min(kLanes, shape.images - first);
    for (int y = 0; y < shape.height; ++y) {
      noise({shape.channels, shape.width, zeros.data(), keys.data(), y,
             edge.noise.scale, row.data()});
      for (int lane = 0; lane < lanes; ++lane) {
        float* image = to + (first + lane) * shape.channels * map +
                       int64_t{y} * shape.width;
        const float* from = row.data() + lane;
        for (int c = 0; c < shape.channels; ++c, image += map) {
          for (int x = 0; x < shape.width; ++x, from += kLanes) {
            image[x] = *from;
          }
        }
      }
    }
  }
}

}  // namespace fairdarts
