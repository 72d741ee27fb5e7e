#ifndef SEARCH_SPACE_PATH_DROPPER_H_
#define SEARCH_SPACE_PATH_DROPPER_H_

// Which paths of a network are dropped in one forward pass.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fairdarts/base/random.h"
#include "ops/drop_path.h"

namespace fairdarts {

// ops/drop_path.h with the probability and the stream of one step; the paths
// of a network draw from the stream in the order in which they are computed.
// Not thread-safe.
class PathDropper {
 public:
  // Drops nothing.
  PathDropper() : PathDropper(0, RandomStream(0)) {}
  // 0 <= probability < 1.
  PathDropper(double probability, const RandomStream& stream)
      : probability_(probability), stream_(stream) {}

  at::Tensor Drop(const at::Tensor& x) {
    return DropPath(x, probability_, /*training=*/true, stream_);
  }

  bool drops() const { return probability_ > 0; }

  // What Drop() would multiply the images of the next path with, where
  // something is dropped.
  std::vector<float> DrawScales(int64_t images) {
    return DrawPathScales(images, probability_, stream_);
  }

 private:
  double probability_;
  RandomStream stream_;
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_PATH_DROPPER_H_
