#ifndef TRAINING_LAST_BATCH_H_
#define TRAINING_LAST_BATCH_H_

#include "absl/status/status.h"
#include "training/data/dataset.h"
#include "training/data/epoch_sampler.h"

namespace fairdarts {

// A usage error where the last batch of an epoch is one image whose last map
// has one pixel. Batch norm takes its statistics from the images and pixels of
// a batch and cannot from a single value. Two reductions halve a map twice,
// rounding up, so up to 4x4 pixels come down to one; on larger maps the pixels
// of a single image give its statistics.
absl::Status CheckLastBatch(const EpochSampler& sampler,
                            const Dataset& dataset);

}  // namespace fairdarts

#endif  // TRAINING_LAST_BATCH_H_
