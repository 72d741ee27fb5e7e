#ifndef TRAINING_SHUFFLE_LABELS_H_
#define TRAINING_SHUFFLE_LABELS_H_

// A control experiment: what a search finds where there is nothing to find.

#include <cstdint>

#include "training/data/dataset.h"

namespace fairdarts {

// Permutes the labels over all samples, by a stream keyed by `seed`: each
// class keeps its size, and no label says anything about its image.
void ShuffleLabels(uint64_t seed, Dataset& dataset);

}  // namespace fairdarts

#endif  // TRAINING_SHUFFLE_LABELS_H_
