#include "training/studies/random_genotype.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "fairdarts/random_search.h"

namespace fairdarts {

absl::StatusOr<absl::optional<Genotype>> RandomGenotypeLike(
    uint64_t seed, int64_t macs, double percent, const NetworkConfig& network) {
  FD_CHECK(macs > 0 && percent > 0);
  constexpr double kMega = 1e6;
  const double size = static_cast<double>(macs);
  const double room = percent / 100 * size;
  RandomSearchOptions options;
  options.seed = seed;
  options.num_identity = absl::nullopt;
  options.min_mega_macs = std::max(size - room, 0.0) / kMega;
  options.max_mega_macs = (size + room) / kMega;
  options.network = network;
  options.max_draws = kMostDraws;
  FD_ASSIGN_OR_RETURN(absl::optional<RandomGenotype> found,
                      FindRandomGenotype(options));
  absl::optional<Genotype> genotype;
  if (found.has_value()) genotype = std::move(found->genotype);
  return genotype;
}

absl::StatusOr<Genotype> RandomGenotypeOf(uint64_t seed, int num_identity,
                                          double flops_threshold) {
  RandomSearchOptions options;
  options.seed = seed;
  options.num_arch = 1;
  options.num_identity = num_identity;
  options.min_mega_macs = flops_threshold;
  options.max_draws = 10 * kMostDraws;
  FD_ASSIGN_OR_RETURN(const std::vector<RandomGenotype> list,
                      RandomGenotypes(options));
  return list.front().genotype;
}

}  // namespace fairdarts
