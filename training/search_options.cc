#include "training/search_options.h"

#include "absl/status/statusor.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/random.h"
#include "fairdarts/edge_cost.h"
#include "fairdarts/noise_schedule.h"
#include "genotypes/cost.h"
#include "training/parse_method.h"

namespace fairdarts {
namespace {

torch::Tensor ToTensor(const EdgeMatrix& matrix) {
  return torch::tensor(matrix.values, torch::kFloat)
      .view({matrix.rows, matrix.cols});
}

// What the candidates cost in the CIFAR network, of which budgets speak too.
EdgeWeights PricesOf(const SearchConfig& config) {
  EdgeWeights prices;
  const struct {
    double weight;
    CostKind kind;
  } terms[] = {{config.flops_weight(), CostKind::kMacs},
               {config.size_weight(), CostKind::kParameters}};
  for (const auto& term : terms) {
    if (term.weight == 0) continue;
    const absl::StatusOr<EdgeCosts> costs =
        ComputeEdgeCosts(NetworkConfig::Cifar());
    FD_CHECK(costs.ok()) << costs.status().ToString();
    const CostShares shares = SharesOf(*costs, term.kind);
    const auto add = [&](const EdgeMatrix& share, torch::Tensor& sum) {
      const torch::Tensor price = term.weight * ToTensor(share);
      sum = sum.defined() ? sum + price : price;
    };
    add(shares.normal, prices.normal);
    add(shares.reduce, prices.reduce);
  }
  return prices;
}

}  // namespace

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
  options.relaxation = config.relaxation() == SearchConfig::SOFTMAX
                           ? Relaxation::kSoftmax
                           : Relaxation::kSigmoid;
  options.single_level = config.single_level();
  options.second_order = config.unrolled();
  options.learning_rate = config.learning_rate();
  options.momentum = config.momentum();
  options.weight_decay = config.weight_decay();
  options.gradient_clip = config.grad_clip();
  options.loss.form = config.sep_loss() == SearchConfig::L1 ? ZeroOneForm::kL1
                                                            : ZeroOneForm::kL2;
  options.loss.zero_one_weight = config.aux_loss_weight();
  options.loss.prices = PricesOf(config);
  options.loss.bfloat16 = config.precision() == Machine::BF16;
  options.architect.learning_rate = config.arch_learning_rate();
  options.architect.beta1 = config.arch_lr_gamma();
  options.architect.weight_decay = config.arch_weight_decay();
  return options;
}

SkipNoise NoiseOf(const SearchConfig& config, int epoch, int64_t step) {
  SkipNoise noise;
  if (!config.noise_darts()) return noise;
  noise.kind = config.noise_type() == SearchConfig::U
                   ? SkipNoise::Kind::kUniform
                   : SkipNoise::Kind::kNormal;
  const absl::StatusOr<float> scale =
      NoiseScale(SchedulerOf(config), epoch, config.max_step());
  FD_CHECK(scale.ok()) << scale.status().ToString();
  noise.scale = *scale;
  noise.key =
      RandomStream("search/noise", {config.seed(), static_cast<uint64_t>(step)})
          .At(0);
  return noise;
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
