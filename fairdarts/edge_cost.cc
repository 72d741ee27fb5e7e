#include "fairdarts/edge_cost.h"

#include <algorithm>
#include <vector>

#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "genotypes/genotype.h"

namespace fairdarts {
namespace {

constexpr int kCandidates = static_cast<int>(kS1Candidates.size());

// It has neither multiply-accumulates nor parameters, at any stride.
constexpr Primitive kFree = Primitive::kMaxPool3x3;

absl::StatusOr<EdgeCost> TotalOf(const Genotype& genotype,
                                 const NetworkConfig& config) {
  FD_ASSIGN_OR_RETURN(const NetworkCost cost,
                      ComputeNetworkCost(genotype, config));
  return EdgeCost{cost.total.macs, cost.total.parameters};
}

// Nodes that cost nothing.
GenotypeCell FreeCell(int nodes) {
  GenotypeCell cell;
  for (int node = kCellInputs; node < kCellInputs + nodes; ++node) {
    cell.edges.push_back({kFree, node, /*from=*/0});
    cell.concat.push_back(node);
  }
  return cell;
}

Genotype FreeGenotype(int normal_nodes, int reduce_nodes) {
  Genotype genotype;
  genotype.form = GenotypeForm::kThreshold;
  genotype.normal = FreeCell(normal_nodes);
  genotype.reduce = FreeCell(reduce_nodes);
  return genotype;
}

GenotypeCell AllCandidates() {
  GenotypeCell cell;
  for (const CellEdge& edge : EdgeLayout(kS1Nodes)) {
    for (const Primitive op : kS1Candidates) {
      cell.edges.push_back({op, edge.to, edge.from});
    }
  }
  cell.concat = FreeCell(kS1Nodes).concat;
  return cell;
}

// What each candidate of one of the two cells adds to the constant part.
absl::StatusOr<CellEdgeCosts> CostsOfCell(GenotypeCell Genotype::*cell,
                                          const EdgeCost& constant,
                                          const NetworkConfig& config) {
  const std::vector<CellEdge> layout = EdgeLayout(kS1Nodes);
  CellEdgeCosts costs;
  for (int row = 0; row < kS1Edges; ++row) {
    for (int col = 0; col < kCandidates; ++col) {
      // Among the free cell's already, from input 0.
      if (kS1Candidates[col] == kFree) continue;
      Genotype genotype = FreeGenotype(kS1Nodes, kS1Nodes);
      (genotype.*cell)
          .edges.push_back(
              {kS1Candidates[col], layout[row].to, layout[row].from});
      FD_ASSIGN_OR_RETURN(const EdgeCost with, TotalOf(genotype, config));
      costs[row][col] = {with.macs - constant.macs,
                         with.parameters - constant.parameters};
    }
  }
  return costs;
}

int64_t ValueOf(const EdgeCost& cost, CostKind kind) {
  return kind == CostKind::kMacs ? cost.macs : cost.parameters;
}

}  // namespace

absl::StatusOr<EdgeCosts> ComputeEdgeCosts(const NetworkConfig& config) {
  FD_CHECK_EQ(EdgeCount(kS1Nodes), kS1Edges);
  Genotype all;
  all.form = GenotypeForm::kThreshold;
  all.normal = AllCandidates();
  all.reduce = AllCandidates();
  FD_RETURN_IF_ERROR(TotalOf(all, config));

  EdgeCosts costs;
  FD_ASSIGN_OR_RETURN(costs.constant, ConstantCost(config, kS1Nodes, kS1Nodes));
  FD_ASSIGN_OR_RETURN(costs.normal,
                      CostsOfCell(&Genotype::normal, costs.constant, config));
  FD_ASSIGN_OR_RETURN(costs.reduce,
                      CostsOfCell(&Genotype::reduce, costs.constant, config));
  return costs;
}

absl::StatusOr<EdgeCost> ConstantCost(const NetworkConfig& config,
                                      int normal_nodes, int reduce_nodes) {
  FD_CHECK_LE(std::max(normal_nodes, reduce_nodes), kS1Nodes);
  return TotalOf(FreeGenotype(normal_nodes, reduce_nodes), config);
}

CostShares SharesOf(const EdgeCosts& costs, CostKind kind) {
  double sum = 0;
  for (const CellEdgeCosts* cell : {&costs.normal, &costs.reduce}) {
    for (const auto& row : *cell) {
      for (const EdgeCost& cost : row) {
        sum += static_cast<double>(ValueOf(cost, kind));
      }
    }
  }
  const auto shares_of = [&](const CellEdgeCosts& cell) {
    EdgeMatrix shares{kS1Edges, kCandidates, {}};
    for (const auto& row : cell) {
      for (const EdgeCost& cost : row) {
        shares.values.push_back(
            static_cast<float>(static_cast<double>(ValueOf(cost, kind)) / sum));
      }
    }
    return shares;
  };
  return {shares_of(costs.normal), shares_of(costs.reduce)};
}

double ExpectedShare(const EdgeMatrix& normal, const EdgeMatrix& reduce,
                     const CostShares& shares) {
  double expected = 0;
  const auto add = [&](const EdgeMatrix& weights, const EdgeMatrix& share) {
    FD_CHECK_EQ(weights.values.size(), share.values.size());
    for (size_t i = 0; i < share.values.size(); ++i) {
      expected += static_cast<double>(weights.values[i]) *
                  static_cast<double>(share.values[i]);
    }
  };
  add(normal, shares.normal);
  add(reduce, shares.reduce);
  return expected;
}

}  // namespace fairdarts
