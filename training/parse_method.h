#ifndef TRAINING_PARSE_METHOD_H_
#define TRAINING_PARSE_METHOD_H_

// The discretisation rule that a configuration names.

#include "fairdarts/discretization.h"
#include "training/config.pb.h"

namespace fairdarts {

DiscretizationRule RuleOf(SearchConfig::ParseMethod method);

}  // namespace fairdarts

#endif  // TRAINING_PARSE_METHOD_H_
