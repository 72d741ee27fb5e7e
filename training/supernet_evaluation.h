#ifndef TRAINING_SUPERNET_EVALUATION_H_
#define TRAINING_SUPERNET_EVALUATION_H_

// How well a search network does with the weights that its edges have now.

#include <cstdint>

#include "absl/status/statusor.h"
#include "search_space/supernet.h"
#include "training/data/batch.h"

namespace fairdarts {

struct Evaluation {
  double loss = 0;  // mean cross-entropy
  double top1 = 0;  // a fraction in [0, 1]
};

// Evaluates samples [begin, end) without augmentation, in order, `batch_size`
// at a time, with batch norm's running statistics; leaves the network in
// training mode.
absl::StatusOr<Evaluation> EvaluateSupernet(Supernet& supernet,
                                            const EdgeWeights& weights,
                                            const BatchMaker& batches,
                                            int64_t begin, int64_t end,
                                            int64_t batch_size);

}  // namespace fairdarts

#endif  // TRAINING_SUPERNET_EVALUATION_H_
