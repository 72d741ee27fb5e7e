#ifndef TRAINING_DATA_SPLIT_H_
#define TRAINING_DATA_SPLIT_H_

// Which half of a published dataset: the one to learn from, or the one that
// results are reported on.

namespace fairdarts {

enum class Split { kTrain, kTest };

}  // namespace fairdarts

#endif  // TRAINING_DATA_SPLIT_H_
