#ifndef SEARCH_SPACE_SUPERNET_H_
#define SEARCH_SPACE_SUPERNET_H_

// What every search space offers to a search.

#include <torch/torch.h>

#include "absl/status/status.h"
#include "fairdarts/base/status.h"
#include "search_space/skip_noise.h"

namespace fairdarts {

// The weight of each candidate on each edge, [edges, candidates] float. How
// they come from alphas (sigmoid, softmax) is not the space's business.
struct EdgeWeights {
  torch::Tensor normal;
  torch::Tensor reduce;
};

// A network whose edges hold all candidates at once.
class Supernet : public torch::nn::Module {
 public:
  // Images [N, channels, H, W] float to logits [N, classes].
  virtual torch::Tensor Forward(const torch::Tensor& images,
                                const EdgeWeights& weights) = 0;

  // From the next training forward on, until it is set again; none before. A
  // usage error where the noise is out of range, or there is some and the space
  // has nothing to add it to.
  virtual absl::Status SetSkipNoise(const SkipNoise& noise) {
    if (noise.kind == SkipNoise::Kind::kNone) return absl::OkStatus();
    return UsageError(
        "this search space has no skip_connect candidate to add noise to");
  }

  // The shape of each matrix of EdgeWeights.
  virtual int64_t edges() const = 0;
  virtual int64_t candidates() const = 0;
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_SUPERNET_H_
