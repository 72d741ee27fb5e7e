#include "training/train_options.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/random.h"
#include "fairdarts/base/status.h"
#include "training/last_batch.h"

namespace fairdarts {

absl::StatusOr<NetworkConfig> NetworkOptions(const TrainConfig& config,
                                             const Dataset& dataset) {
  if (dataset.height != dataset.width) {
    return UsageError(absl::StrCat(
        "dataset ", dataset.name, ": its images are ", dataset.height, "x",
        dataset.width, "; networks take square ones"));
  }
  NetworkConfig network = NetworkConfig::Cifar();
  network.init_channels = config.init_channels();
  network.layers = config.layers();
  network.classes = dataset.classes;
  network.image_size = dataset.height;
  network.image_channels = dataset.channels;
  network.auxiliary = config.auxiliary();
  return network;
}

TrainStepOptions StepOptions(const TrainConfig& config) {
  TrainStepOptions options;
  options.momentum = config.momentum();
  options.weight_decay = config.weight_decay();
  options.gradient_clip = config.grad_clip();
  options.auxiliary_weight = config.auxiliary_weight();
  options.label_smoothing = config.label_smoothing();
  options.average_decay = config.ema_decay();
  options.bfloat16 = config.precision() == Machine::BF16;
  return options;
}

LrScheduleOptions ScheduleOptions(const TrainConfig& config) {
  LrScheduleOptions options;
  options.decay = config.lr_schedule() == TrainConfig::LINEAR
                      ? LrScheduleOptions::Decay::kLinear
                      : LrScheduleOptions::Decay::kCosine;
  options.initial = config.learning_rate();
  options.minimum = config.learning_rate_min();
  options.epochs = config.epochs();
  options.warmup_epochs = config.warmup_epochs();
  return options;
}

AugmentOptions AugmentationOptions(const TrainConfig& config) {
  AugmentOptions options;
  options.crop_and_flip = config.crop_and_flip();
  options.auto_augment = config.auto_aug();
  options.cutout = config.cutout();
  options.cutout_length = config.cutout_length();
  return options;
}

int64_t TrainSamples(const TrainConfig& config, const Dataset& dataset) {
  return dataset.size() - std::llround(config.valid_portion() *
                                       static_cast<double>(dataset.size()));
}

EpochSamplerOptions SamplingOptions(const TrainConfig& config,
                                    const Dataset& dataset) {
  EpochSamplerOptions options;
  options.samples = TrainSamples(config, dataset);
  options.batch_size = config.batch_size();
  options.steps_per_epoch = config.steps_per_epoch();
  options.seed = config.seed();
  options.purpose = "train/order";
  return options;
}

absl::StatusOr<EpochSampler> CreateSampler(const TrainConfig& config,
                                           const Dataset& dataset) {
  if (TrainSamples(config, dataset) < 1) {
    return UsageError(absl::StrCat("valid_portion ", config.valid_portion(),
                                   ": holds out all ", dataset.size(),
                                   " images and leaves none to train on"));
  }
  FD_ASSIGN_OR_RETURN(EpochSampler sampler,
                      EpochSampler::Create(SamplingOptions(config, dataset)));
  FD_RETURN_IF_ERROR(CheckLastBatch(sampler, dataset));
  if (config.auxiliary() && config.batch_size() == 1) {
    return UsageError(
        "batch_size 1: the auxiliary head's batch norm cannot normalise a "
        "single image; use a batch of at least 2, or --noauxiliary");
  }
  return sampler;
}

double DropProbability(const TrainConfig& config, int epoch) {
  return config.drop_path_prob() * epoch / config.epochs();
}

PathDropper DroppedPaths(const TrainConfig& config, int epoch, int64_t step) {
  return PathDropper(DropProbability(config, epoch),
                     RandomStream("train/drop_path",
                                  {config.seed(), static_cast<uint64_t>(epoch),
                                   static_cast<uint64_t>(step)}));
}

}  // namespace fairdarts
