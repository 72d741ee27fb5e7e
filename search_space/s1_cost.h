#ifndef SEARCH_SPACE_S1_COST_H_
#define SEARCH_SPACE_S1_COST_H_

// What the S1 search network costs, counted as in genotypes/cost.h: the
// multiply-accumulates of convolutions and of the classifier, for one image.

#include <cstdint>

#include "absl/status/statusor.h"
#include "search_space/s1_config.h"

namespace fairdarts {

struct S1Macs {
  int64_t stem = 0;
  int64_t cells = 0;  // all candidates of all edges, and the inputs' 1x1
  int64_t classifier = 0;
  int64_t total() const { return stem + cells + classifier; }
};

// Of a forward. The error of OperationCost() where a candidate cannot be.
absl::StatusOr<S1Macs> S1ForwardMacs(const S1Config& config, int height,
                                     int width);

// Of a step, for an image of each batch. A backward costs a forward for the
// gradients of what a layer reads, and one more for those of its weights, which
// a bi-level search leaves out in the alphas' half; an image needs none. So a
// bi-level step counts five forwards, the stem three; a single-level one three
// and two.
int64_t SearchStepMacs(const S1Macs& forward, bool single_level);

}  // namespace fairdarts

#endif  // SEARCH_SPACE_S1_COST_H_
