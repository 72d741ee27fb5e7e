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
  // Multiplies the images of path p with row p of `scales` [paths, images],
  // which lies where they do: DrawScales(paths * images) of the other kind, in
  // one piece, so that nothing comes from the host while a network runs.
  explicit PathDropper(const at::Tensor& scales) : PathDropper() {
    scales_ = scales;
  }

  at::Tensor Drop(const at::Tensor& x) {
    if (!scales_.defined()) {
      return DropPath(x, probability_, /*training=*/true, stream_);
    }
    return x.mul(
        scales_.select(0, path_++).view({-1, 1, 1, 1}).to(x.scalar_type()));
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
  at::Tensor scales_;
  int64_t path_ = 0;  // that comes next
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_PATH_DROPPER_H_
