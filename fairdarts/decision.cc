#include "fairdarts/decision.h"

#include <algorithm>

#include "fairdarts/base/status.h"
#include "genotypes/edge_layout.h"
#include "genotypes/primitive.h"

namespace fairdarts {

absl::StatusOr<Decision> Decide(const EdgeMatrix& normal,
                                const EdgeMatrix& reduce, float threshold) {
  FD_ASSIGN_OR_RETURN(
      const Genotype chosen,
      Discretize(normal, reduce, DiscretizationRule::kDarts, threshold));
  FD_ASSIGN_OR_RETURN(
      const Genotype kept,
      Discretize(normal, reduce, DiscretizationRule::kThresholdSparse,
                 threshold));
  Decision decision;
  for (const EdgeMatrix* matrix : {&normal, &reduce}) {
    for (const float weight : matrix->values) {
      ++decision.weights;
      if (weight >= threshold) ++decision.past_threshold;
      if (weight > kUndecidedAbove && weight < kUndecidedBelow) {
        ++decision.undecided;
      }
    }
  }
  decision.chosen =
      static_cast<int>(chosen.normal.edges.size() + chosen.reduce.edges.size());
  decision.chosen_past_threshold =
      static_cast<int>(kept.normal.edges.size() + kept.reduce.edges.size());
  decision.chosen_skips_normal = CountSkips(chosen.normal);
  decision.chosen_skips_reduce = CountSkips(chosen.reduce);
  decision.every_node_fed = NodesWithoutInput(kept.normal).empty() &&
                            NodesWithoutInput(kept.reduce).empty();
  return decision;
}

int CountSkips(const GenotypeCell& cell) {
  return static_cast<int>(std::count_if(
      cell.edges.begin(), cell.edges.end(), [](const GenotypeEdge& edge) {
        return edge.op == Primitive::kSkipConnect;
      }));
}

std::vector<int> NodesWithoutInput(const GenotypeCell& cell) {
  std::vector<int> nodes;
  for (int node = kCellInputs; node < kCellInputs + kS1Nodes; ++node) {
    const bool fed =
        std::any_of(cell.edges.begin(), cell.edges.end(),
                    [&](const GenotypeEdge& edge) { return edge.to == node; });
    if (!fed) nodes.push_back(node);
  }
  return nodes;
}

}  // namespace fairdarts
