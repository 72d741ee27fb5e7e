#ifndef TRAINING_DATA_RECORD_H_
#define TRAINING_DATA_RECORD_H_

// Whether a run goes on with the data that it began with.

#include "absl/status/status.h"
#include "training/checkpoint/snapshot.h"
#include "training/data/dataset.h"

namespace fairdarts {

// A hash of the dataset's images and labels, as the snapshot's text "data".
void PutDataRecord(const Dataset& dataset, Snapshot& snapshot);

// A model-file error unless the snapshot was made with the same images and
// labels.
absl::Status CheckDataRecord(const Snapshot& snapshot, const Dataset& dataset);

}  // namespace fairdarts

#endif  // TRAINING_DATA_RECORD_H_
