#ifndef TRAINING_TRAIN_OPTIONS_H_
#define TRAINING_TRAIN_OPTIONS_H_

// What the parts of a training need, read out of its configuration.

#include <cstdint>

#include "absl/status/statusor.h"
#include "genotypes/cost.h"
#include "search_space/path_dropper.h"
#include "training/data/augment.h"
#include "training/data/dataset.h"
#include "training/data/epoch_sampler.h"
#include "training/schedule/lr_schedule.h"
#include "training/train_config.pb.h"
#include "training/train_step.h"

namespace fairdarts {

// The CIFAR network for images as the dataset has them; a usage error where
// they are not square.
absl::StatusOr<NetworkConfig> NetworkOptions(const TrainConfig& config,
                                             const Dataset& dataset);

TrainStepOptions StepOptions(const TrainConfig& config);
LrScheduleOptions ScheduleOptions(const TrainConfig& config);
AugmentOptions AugmentationOptions(const TrainConfig& config);

// The samples [0, TrainSamples()) are trained on, the end of the training set
// behind them is held out: round-to-nearest of valid_portion of all.
int64_t TrainSamples(const TrainConfig& config, const Dataset& dataset);
EpochSamplerOptions SamplingOptions(const TrainConfig& config,
                                    const Dataset& dataset);

// Those samples by epochs. A usage error names the value that leaves none, or
// batches that the network cannot take.
absl::StatusOr<EpochSampler> CreateSampler(const TrainConfig& config,
                                           const Dataset& dataset);

// The dropped paths of step `step` of epoch `epoch`, both from 0: of each path
// drop_path_prob * epoch / epochs (ScheduledDropPath, arXiv 1707.07012).
double DropProbability(const TrainConfig& config, int epoch);
PathDropper DroppedPaths(const TrainConfig& config, int epoch, int64_t step);

}  // namespace fairdarts

#endif  // TRAINING_TRAIN_OPTIONS_H_
