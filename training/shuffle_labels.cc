#include "training/shuffle_labels.h"

#include "fairdarts/base/random.h"

namespace fairdarts {

void ShuffleLabels(uint64_t seed, Dataset& dataset) {
  RandomStream("search/shuffle_labels", {seed}).Shuffle(dataset.labels);
}

}  // namespace fairdarts
