#ifndef TRAINING_DATA_STRIPES_H_
#define TRAINING_DATA_STRIPES_H_

#include "training/data/dataset.h"

namespace fairdarts {

// A dataset for tests that a tiny network learns in a few steps: grey images of
// size x size with horizontal (0) or vertical (1) stripes under noise, two
// classes that a crop or a mirror leaves apart.
Dataset Stripes(int samples, int size = 8);

}  // namespace fairdarts

#endif  // TRAINING_DATA_STRIPES_H_
