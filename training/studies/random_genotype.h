#ifndef TRAINING_STUDIES_RANDOM_GENOTYPE_H_
#define TRAINING_STUDIES_RANDOM_GENOTYPE_H_

// The genotypes of random variants.

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "genotypes/cost.h"
#include "genotypes/genotype.h"

namespace fairdarts {

// What random variants make of a seed, the same every time.

// The first draw of the random search (fairdarts/random_search.h) whose network
// has `macs` multiply-accumulates within `percent`, above 0. None where no draw
// of kMostDraws is. Errors are those of ComputeNetworkCost.
inline constexpr int kMostDraws = 20000;
absl::StatusOr<absl::optional<Genotype>> RandomGenotypeLike(
    uint64_t seed, int64_t macs, double percent, const NetworkConfig& network);

// The first of the random search with so many skip connections and at least so
// many millions of multiply-accumulates. A usage error where none of ten times
// kMostDraws is such.
absl::StatusOr<Genotype> RandomGenotypeOf(uint64_t seed, int num_identity,
                                          double flops_threshold);

}  // namespace fairdarts

#endif  // TRAINING_STUDIES_RANDOM_GENOTYPE_H_
