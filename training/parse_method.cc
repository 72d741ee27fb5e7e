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

}  // namespace fairdarts
