#ifndef FAIRDARTS_BUDGETED_DISCRETIZATION_H_
#define FAIRDARTS_BUDGETED_DISCRETIZATION_H_

// Discretisation under a hard budget: the best genotype that a network may
// cost.
//
// Of all genotypes that a rule could choose (DiscretizationRule says which
// form they have) and whose network keeps the budget, the one whose chosen
// candidates have the largest sum of relaxed weights. Where nothing is to be
// given up that is the rule's own genotype. The optimum is exact: costs add up
// over edges (edge_cost.h) once it is fixed which nodes exist, and few sums
// differ, so edge by edge only what no other partial choice beats in weight,
// multiply-accumulates and parameters at once has to be kept.

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "fairdarts/discretization.h"
#include "fairdarts/edge_cost.h"
#include "genotypes/cost.h"
#include "genotypes/genotype.h"

namespace fairdarts {

// The most that the network may cost; without a number there is no bound.
struct Budget {
  absl::optional<int64_t> macs;
  absl::optional<int64_t> parameters;
};

struct BudgetedGenotype {
  Genotype genotype;
  EdgeCost cost;         // of its network
  double weight = 0;     // summed over the edges that the network has
  bool reduced = false;  // another than Discretize() gives, to keep the budget
};

// The genotype is that of Discretize(), with its ties, where its network keeps
// the budget. Otherwise, by rule, it is the best of
//
//   kDarts            two edges a node from different sources, one candidate
//                     each: any of the seven;
//   kThresholdSparse  at most two edges a node, one candidate each, of those at
//                     or above the threshold;
//   kThresholdEdge    at most two candidates an edge, of those at or above the
//                     threshold,
//
// where a node without edges is missing, no edge reads it, and each cell keeps
// a node. Edges stand in the rule's order. Equal sums: fewer
// multiply-accumulates, then fewer parameters. Sums are made in double.
//
// Errors are those of Discretize() and ComputeNetworkCost(), a data error for a
// cell without a candidate at the threshold, and a usage error for a budget
// that nothing keeps, which says what the smallest genotype costs.
absl::StatusOr<BudgetedGenotype> DiscretizeUnderBudget(
    const EdgeMatrix& normal, const EdgeMatrix& reduce, DiscretizationRule rule,
    float threshold, const Budget& budget, const NetworkConfig& config);

}  // namespace fairdarts

#endif  // FAIRDARTS_BUDGETED_DISCRETIZATION_H_
