#ifndef TRAINING_ESTIMATE_SEARCH_TRIAL_H_
#define TRAINING_ESTIMATE_SEARCH_TRIAL_H_

// Measures what search_estimate.h goes by.

#include "absl/status/statusor.h"
#include "training/config.pb.h"
#include "training/data/dataset.h"
#include "training/estimate/search_estimate.h"

namespace fairdarts {

// Runs the first step of the search a few times: one that warms up, two that
// are timed, and an evaluation of one batch after a first one. Where the batch
// of the configuration does not fit into memory, with the largest that does, a
// multiple of 16. Writes nothing.
//
// The fused engine's memory is known beforehand (engine_memory.h), and the rest
// is measured. That of the plain engine is extrapolated through two small
// batches, and then through the larger one and the batch that is timed.
//
// Errors are SearchLoop's, and an environment error where not even 16 images
// fit.
absl::StatusOr<SearchEstimate> EstimateSearch(const SearchConfig& config,
                                              const Dataset& dataset);

}  // namespace fairdarts

#endif  // TRAINING_ESTIMATE_SEARCH_TRIAL_H_
