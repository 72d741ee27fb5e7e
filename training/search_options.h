#ifndef TRAINING_SEARCH_OPTIONS_H_
#define TRAINING_SEARCH_OPTIONS_H_

// What the parts of a search need, read out of its configuration.

#include <cstdint>

#include "fairdarts/search_step.h"
#include "search_space/s1_config.h"
#include "search_space/skip_noise.h"
#include "training/config.pb.h"
#include "training/data/augment.h"
#include "training/data/dataset.h"
#include "training/data/sampler.h"
#include "training/schedule/lr_schedule.h"

namespace fairdarts {

S1Config NetworkOptions(const SearchConfig& config, const Dataset& dataset);
SearchStepOptions StepOptions(const SearchConfig& config);

// The noise of one step; every step has a key of its own.
SkipNoise NoiseOf(const SearchConfig& config, int epoch, int64_t step);
LrScheduleOptions ScheduleOptions(const SearchConfig& config);
SamplerOptions SamplingOptions(const SearchConfig& config,
                               const Dataset& dataset);

// The augmentation of both halves while the search runs.
AugmentOptions AugmentationOptions(const SearchConfig& config);

}  // namespace fairdarts

#endif  // TRAINING_SEARCH_OPTIONS_H_
