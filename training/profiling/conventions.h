#ifndef TRAINING_PROFILING_CONVENTIONS_H_
#define TRAINING_PROFILING_CONVENTIONS_H_

// What "FLOPs" and "parameters" of a network mean to whom: named rules, each of
// which makes one number of a genotype and a network.
//
// Upstream's figures come from the package thop, with its batch norm counts
// taken out (as its README says). README.md here has the rules and the
// evidence.

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "genotypes/cost.h"
#include "genotypes/genotype.h"

namespace fairdarts {

struct Convention {
  absl::string_view name;  // "thop-0.0.31"
  absl::string_view rule;  // what it counts, a line
  // The count of one image. `cost` is that of the network of this config with
  // the auxiliary head. A usage error where it is too large.
  absl::StatusOr<int64_t> (*count)(const NetworkCost& cost,
                                   const NetworkConfig& config);
};

// Those of FLOPs, the one that explains most first; those of parameters.
const std::vector<Convention>& FlopsConventions();
const std::vector<Convention>& ParameterConventions();

// The count of a genotype's network by a convention. config.auxiliary does not
// matter. Errors are those of ComputeNetworkCost with the auxiliary head.
absl::StatusOr<int64_t> CountBy(const Convention& convention,
                                const Genotype& genotype, NetworkConfig config);

}  // namespace fairdarts

#endif  // TRAINING_PROFILING_CONVENTIONS_H_
