#ifndef TRAINING_PARSE_METHOD_H_
#define TRAINING_PARSE_METHOD_H_

// What a configuration's names stand for.

#include "fairdarts/discretization.h"
#include "fairdarts/noise_schedule.h"
#include "training/config.pb.h"
#include "training/genotype_choice.h"

namespace fairdarts {

DiscretizationRule RuleOf(SearchConfig::ParseMethod method);

NoiseScheduler SchedulerOf(const SearchConfig& config);

// How the genotype is chosen, of a configuration with these fields.
template <typename Config>
GenotypeChoiceOptions ChoiceOptions(const Config& config) {
  GenotypeChoiceOptions options;
  options.rule = RuleOf(config.parse_method());
  options.threshold = static_cast<float>(config.op_threshold());
  options.flops_budget = config.flops_budget();
  options.size_budget = config.size_budget();
  options.reweight = config.reweight();
  return options;
}

}  // namespace fairdarts

#endif  // TRAINING_PARSE_METHOD_H_
