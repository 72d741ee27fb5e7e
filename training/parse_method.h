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

// How the genotype is chosen at the end of the search.
GenotypeChoiceOptions ChoiceOptions(const SearchConfig& config);

}  // namespace fairdarts

#endif  // TRAINING_PARSE_METHOD_H_
