#include "training/parse_method.h"

#include "fairdarts/base/check.h"

namespace fairdarts {

DiscretizationRule RuleOf(SearchConfig::ParseMethod method) {
  switch (method) {
    case SearchConfig::DARTS:
      return DiscretizationRule::kDarts;
    case SearchConfig::THRESHOLD_SPARSE:
      return DiscretizationRule::kThresholdSparse;
    case SearchConfig::THRESHOLD_EDGE:
      return DiscretizationRule::kThresholdEdge;
  }
  FD_CHECK(false) << "no such parse method: " << method;
  return DiscretizationRule::kDarts;
}

NoiseScheduler SchedulerOf(const SearchConfig& config) {
  return config.noise_scheduler() == SearchConfig::STEP
             ? NoiseScheduler::kStep
             : NoiseScheduler::kCosine;
}

GenotypeChoiceOptions ChoiceOptions(const SearchConfig& config) {
  GenotypeChoiceOptions options;
  options.rule = RuleOf(config.parse_method());
  options.threshold = static_cast<float>(config.op_threshold());
  options.flops_budget = config.flops_budget();
  options.size_budget = config.size_budget();
  options.reweight = config.reweight();
  return options;
}

}  // namespace fairdarts
