#include "training/studies/random_genotype.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "fairdarts/discretization.h"
#include "fairdarts/edge_cost.h"
#include "fairdarts/random_search.h"
#include "genotypes/edge_layout.h"
#include "genotypes/primitive.h"

namespace fairdarts {
namespace {

// What a cell's edges add to the constant part.
int64_t MacsOf(const GenotypeCell& cell, const CellEdgeCosts& costs) {
  int64_t macs = 0;
  for (const GenotypeEdge& edge : cell.edges) {
    const size_t column =
        std::find(kS1Candidates.begin(), kS1Candidates.end(), edge.op) -
        kS1Candidates.begin();
    macs += costs[EdgeRow(edge.to, edge.from)][column].macs;
  }
  return macs;
}

}  // namespace

absl::StatusOr<absl::optional<Genotype>> RandomGenotypeLike(
    uint64_t seed, int64_t macs, double percent, const NetworkConfig& network) {
  FD_CHECK(macs > 0 && percent > 0);
  const double room = percent / 100 * static_cast<double>(macs);
  FD_ASSIGN_OR_RETURN(const EdgeCosts costs, ComputeEdgeCosts(network));
  for (int draw = 0; draw < kMostDraws; ++draw) {
    const RandomAlphas alphas = DrawAlphas(seed, /*index=*/0, draw);
    FD_ASSIGN_OR_RETURN(
        Genotype genotype,
        Discretize(alphas.normal, alphas.reduce, DiscretizationRule::kDarts,
                   /*threshold=*/0.5f));
    const int64_t drawn = costs.constant.macs +
                          MacsOf(genotype.normal, costs.normal) +
                          MacsOf(genotype.reduce, costs.reduce);
    if (std::abs(static_cast<double>(drawn - macs)) <= room) {
      return absl::optional<Genotype>(std::move(genotype));
    }
  }
  return absl::optional<Genotype>();
}

absl::StatusOr<Genotype> RandomGenotypeOf(uint64_t seed, int num_identity,
                                          double flops_threshold) {
  RandomSearchOptions options;
  options.seed = seed;
  options.num_arch = 1;
  options.num_identity = num_identity;
  options.min_mega_macs = flops_threshold;
  options.max_draws = 10 * kMostDraws;  // they cost less than those above
  FD_ASSIGN_OR_RETURN(const std::vector<RandomGenotype> list,
                      RandomGenotypes(options));
  return list.front().genotype;
}

}  // namespace fairdarts
