#ifndef SEARCH_SPACE_NETWORK_FACTORY_H_
#define SEARCH_SPACE_NETWORK_FACTORY_H_

// From a genotype to its network.

#include <memory>

#include "absl/status/statusor.h"
#include "genotypes/cost.h"
#include "genotypes/genotype.h"
#include "search_space/derived_network.h"

namespace fairdarts {

// The network of config.kind in training mode, with the weights that torch's
// global generator gives it (see initialization.h). Errors are those of
// ComputeNetworkCost: a usage error names a field of the config that does not
// fit, a data error the cell that nothing can be built from.
absl::StatusOr<std::shared_ptr<DerivedNetwork>> MakeDerivedNetwork(
    const Genotype& genotype, const NetworkConfig& config);

}  // namespace fairdarts

#endif  // SEARCH_SPACE_NETWORK_FACTORY_H_
