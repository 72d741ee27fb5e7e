#include "training/search_options.h"

namespace fairdarts {

S1Config NetworkOptions(const SearchConfig& config, const Dataset& dataset) {
  S1Config options;
  options.channels = config.init_channels();
  options.layers = config.layers();
  options.classes = dataset.classes;
  options.image_channels = dataset.channels;
  return options;
}

SearchStepOptions StepOptions(const SearchConfig& config) {
  SearchStepOptions options;
  options.single_level = config.single_level();
  options.learning_rate = config.learning_rate();
  options.momentum = config.momentum();
  options.weight_decay = config.weight_decay();
  options.gradient_clip = config.grad_clip();
  options.loss.form = config.sep_loss() == SearchConfig::L1 ? ZeroOneForm::kL1
                                                            : ZeroOneForm::kL2;
  options.loss.zero_one_weight = config.aux_loss_weight();
  options.architect.learning_rate = config.arch_learning_rate();
  options.architect.beta1 = config.arch_lr_gamma();
  options.architect.weight_decay = config.arch_weight_decay();
  return options;
}

LrScheduleOptions ScheduleOptions(const SearchConfig& config) {
  LrScheduleOptions options;
  options.initial = config.learning_rate();
  options.minimum = config.learning_rate_min();
  options.epochs = config.epochs();
  return options;
}

SamplerOptions SamplingOptions(const SearchConfig& config,
                               const Dataset& dataset) {
  SamplerOptions options;
  options.samples = dataset.size();
  options.train_portion = config.train_portion();
  options.batch_size = config.batch_size();
  options.steps_per_epoch = config.steps_per_epoch();
  options.seed = config.seed();
  return options;
}

AugmentOptions AugmentationOptions(const SearchConfig& config) {
  AugmentOptions options;
  options.crop_and_flip = true;
  options.auto_augment = config.auto_aug();
  options.cutout = config.cutout();
  options.cutout_length = config.cutout_length();
  return options;
}

}  // namespace fairdarts
