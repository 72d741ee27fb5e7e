#ifndef FAIRDARTS_EDGE_COST_H_
#define FAIRDARTS_EDGE_COST_H_

// What each candidate of each edge of the space S1 adds to a network's cost.
//
// In a network of cells the operations on edges do not change each other's
// size: its cost is a constant part (stem, the inputs' 1x1 convolutions,
// classifier) and a sum over the edges of both cells,
//
//   cost(genotype) = constant + sum over chosen (edge, candidate) of its cost,
//
// where an edge counts once for every cell of its kind, at that cell's channels
// and map. All of it follows from ComputeNetworkCost() as differences, so that
// there is one set of rules of what costs what.

#include <array>
#include <cstdint>

#include "absl/status/statusor.h"
#include "fairdarts/discretization.h"
#include "genotypes/cost.h"
#include "genotypes/edge_layout.h"
#include "genotypes/primitive.h"

namespace fairdarts {

struct EdgeCost {
  int64_t macs = 0;  // for one image
  int64_t parameters = 0;
};

inline EdgeCost operator+(const EdgeCost& a, const EdgeCost& b) {
  return {a.macs + b.macs, a.parameters + b.parameters};
}
inline bool operator==(const EdgeCost& a, const EdgeCost& b) {
  return a.macs == b.macs && a.parameters == b.parameters;
}

inline constexpr int kS1Edges = 14;  // EdgeCount(kS1Nodes)

// By row of EdgeLayout(kS1Nodes) and column of kS1Candidates.
using CellEdgeCosts =
    std::array<std::array<EdgeCost, kS1Candidates.size()>, kS1Edges>;

struct EdgeCosts {
  EdgeCost constant;  // where all nodes of both cells exist and are the output
  CellEdgeCosts normal;
  CellEdgeCosts reduce;
};

// The costs in the network of this config. Errors are those of
// ComputeNetworkCost(); a network in which all candidates of all edges together
// are too many to count is refused, so that no sum of these costs overflows.
absl::StatusOr<EdgeCosts> ComputeEdgeCosts(const NetworkConfig& config);

// The constant part where the cells have so many nodes, 1 to kS1Nodes: of cells
// of the threshold rules, whose width is the number of nodes that exist.
absl::StatusOr<EdgeCost> ConstantCost(const NetworkConfig& config,
                                      int normal_nodes, int reduce_nodes);

enum class CostKind { kMacs, kParameters };

// Each candidate's share of what all candidates of both cells cost together;
// the shares sum to 1. With relaxed weights w the expected share
//
//   sum_e sum_o w_eo cost_eo / sum_e sum_o cost_eo
//
// is sum_e sum_o w_eo share_eo over both matrices: a differentiable measure,
// without units, of how much of the space's cost the weights ask for.
struct CostShares {
  EdgeMatrix normal;
  EdgeMatrix reduce;
};
CostShares SharesOf(const EdgeCosts& costs, CostKind kind);

// The expected share. The matrices are 14x7.
double ExpectedShare(const EdgeMatrix& normal, const EdgeMatrix& reduce,
                     const CostShares& shares);

}  // namespace fairdarts

#endif  // FAIRDARTS_EDGE_COST_H_
