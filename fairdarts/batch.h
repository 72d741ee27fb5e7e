#ifndef FAIRDARTS_BATCH_H_
#define FAIRDARTS_BATCH_H_

// What one step of a search or a training sees.

#include <torch/types.h>

namespace fairdarts {

struct Batch {
  torch::Tensor images;  // [N, channels, H, W], the type of the weights
  torch::Tensor labels;  // [N] int64
};

}  // namespace fairdarts

#endif  // FAIRDARTS_BATCH_H_
