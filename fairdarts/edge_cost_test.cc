#include "fairdarts/edge_cost.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "genotypes/catalog.h"
#include "genotypes/genotype.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

EdgeCosts CostsOf(const NetworkConfig& config) {
  const absl::StatusOr<EdgeCosts> costs = ComputeEdgeCosts(config);
  EXPECT_THAT(costs, IsOk());
  return costs.value_or(EdgeCosts());
}

EdgeCost WholeCost(const Genotype& genotype, const NetworkConfig& config) {
  const absl::StatusOr<NetworkCost> cost = ComputeNetworkCost(genotype, config);
  EXPECT_THAT(cost, IsOk());
  return {cost->total.macs, cost->total.parameters};
}

// The column of an operation, or -1 for one that S1 does not have.
int ColumnOf(Primitive op) {
  const auto* const found =
      std::find(kS1Candidates.begin(), kS1Candidates.end(), op);
  return found == kS1Candidates.end()
             ? -1
             : static_cast<int>(found - kS1Candidates.begin());
}

// Whether the cell is one of S1 with its four nodes as output.
bool InS1(const GenotypeCell& cell) {
  return cell.concat == std::vector<int>{2, 3, 4, 5} &&
         std::all_of(cell.edges.begin(), cell.edges.end(),
                     [](const GenotypeEdge& edge) {
                       return edge.to < kCellInputs + kS1Nodes &&
                              ColumnOf(edge.op) >= 0;
                     });
}

EdgeCost SumOf(const GenotypeCell& cell, const CellEdgeCosts& costs) {
  EdgeCost sum;
  for (const GenotypeEdge& edge : cell.edges) {
    sum = sum + costs[EdgeRow(edge.to, edge.from)][ColumnOf(edge.op)];
  }
  return sum;
}

std::vector<NetworkConfig> Configs() {
  NetworkConfig small = NetworkConfig::Cifar();
  small.init_channels = 8;
  small.layers = 6;
  small.image_size = 28;
  small.image_channels = 1;
  NetworkConfig odd_maps = NetworkConfig::Cifar();
  odd_maps.init_channels = 10;
  odd_maps.layers = 5;
  odd_maps.image_size = 13;
  NetworkConfig with_head = NetworkConfig::Cifar();
  with_head.auxiliary = true;
  return {NetworkConfig::Cifar(), NetworkConfig::ImageNet(), small, odd_maps,
          with_head};
}

TEST(EdgeCostTest, EdgesAndConstantMakeTheWholeOfEveryPublishedGenotype) {
  for (const NetworkConfig& config : Configs()) {
    SCOPED_TRACE(absl::StrCat("C=", config.init_channels, ", ", config.layers,
                              " layers, ", config.image_size));
    const EdgeCosts costs = CostsOf(config);
    int compared = 0;
    for (const CatalogEntry& entry : Catalog()) {
      const Genotype& genotype = entry.genotype;
      if (genotype.form == GenotypeForm::kThreshold || !InS1(genotype.normal) ||
          !InS1(genotype.reduce)) {
        continue;
      }
      SCOPED_TRACE(entry.key());
      ++compared;
      const EdgeCost whole = WholeCost(genotype, config);
      const EdgeCost sum = costs.constant +
                           SumOf(genotype.normal, costs.normal) +
                           SumOf(genotype.reduce, costs.reduce);
      EXPECT_EQ(sum.macs, whole.macs);
      EXPECT_EQ(sum.parameters, whole.parameters);
    }
    EXPECT_GE(compared, 30);
  }
}

TEST(EdgeCostTest, AllCandidatesTogetherCostTheirSum) {
  Genotype all;
  all.form = GenotypeForm::kThreshold;
  for (GenotypeCell* cell : {&all.normal, &all.reduce}) {
    for (const CellEdge& edge : EdgeLayout(kS1Nodes)) {
      for (const Primitive op : kS1Candidates) {
        cell->edges.push_back({op, edge.to, edge.from});
      }
    }
  }
  for (const NetworkConfig& config : Configs()) {
    const EdgeCosts costs = CostsOf(config);
    EXPECT_TRUE(costs.constant + SumOf(all.normal, costs.normal) +
                    SumOf(all.reduce, costs.reduce) ==
                WholeCost(all, config));
  }
}

TEST(EdgeCostTest, AnEntryIsTheOperationInEveryCellOfItsKind) {
  // Three cells of C=4 on 8x8 images: normal at 4 channels on 8x8, reduction
  // at 8 from 8x8 to 4x4, reduction at 16 from 4x4 to 2x2.
  NetworkConfig config = NetworkConfig::Cifar();
  config.init_channels = 4;
  config.layers = 3;
  config.image_size = 8;
  const EdgeCosts costs = CostsOf(config);
  const int sep3 = ColumnOf(Primitive::kSepConv3x3);
  const int skip = ColumnOf(Primitive::kSkipConnect);
  const auto sep3_macs = [](int channels, int side) {
    return int64_t{2} * side * side * (9 * channels + channels * channels);
  };
  EXPECT_EQ(costs.normal[EdgeRow(2, 0)][sep3].macs, sep3_macs(4, 8));
  EXPECT_EQ(costs.normal[EdgeRow(5, 4)][sep3].parameters,
            2 * (9 * 4 + 4 * 4 + 2 * 4));
  EXPECT_EQ(costs.reduce[EdgeRow(2, 0)][sep3].macs,
            sep3_macs(8, 4) + sep3_macs(16, 2));
  EXPECT_EQ(costs.normal[EdgeRow(2, 0)][skip].parameters, 0);
  // Stride 2: a FactorizedReduce, but not on the edges between nodes.
  EXPECT_EQ(costs.reduce[EdgeRow(4, 1)][skip].parameters,
            (8 * 8 + 2 * 8) + (16 * 16 + 2 * 16));
  EXPECT_EQ(costs.reduce[EdgeRow(4, 2)][skip].parameters, 0);
}

TEST(EdgeCostTest, TheConstantPartFollowsTheNodes) {
  const NetworkConfig config = NetworkConfig::Cifar();
  for (const CatalogEntry& entry : Catalog()) {
    if (entry.name != "FairDARTS_a" && entry.name != "FairDARTS_c") continue;
    SCOPED_TRACE(entry.key());
    std::set<int> nodes[2];
    EdgeCost sum;
    const EdgeCosts costs = CostsOf(config);
    const GenotypeCell* cells[] = {&entry.genotype.normal,
                                   &entry.genotype.reduce};
    for (int i = 0; i < 2; ++i) {
      for (const GenotypeEdge& edge : cells[i]->edges) {
        nodes[i].insert(edge.to);
      }
      sum = sum + SumOf(*cells[i], i == 0 ? costs.normal : costs.reduce);
    }
    EXPECT_LT(nodes[0].size(), 4u);
    const absl::StatusOr<EdgeCost> constant =
        ConstantCost(config, static_cast<int>(nodes[0].size()),
                     static_cast<int>(nodes[1].size()));
    ASSERT_THAT(constant, IsOk());
    EXPECT_TRUE(*constant + sum == WholeCost(entry.genotype, config));
  }
  EXPECT_THAT(ConstantCost(config, 0, 1),
              StatusIs(absl::StatusCode::kDataLoss, "normal"));
}

TEST(EdgeCostTest, RefusesWhatTheCostRulesRefuse) {
  NetworkConfig config = NetworkConfig::Cifar();
  config.init_channels = 7;
  EXPECT_THAT(ComputeEdgeCosts(config), ExitCodeIs(ExitCode::kUsage));
  config = NetworkConfig::Cifar();
  config.init_channels = 4096;
  config.layers = 1000;
  config.image_size = 8192;
  EXPECT_THAT(ComputeEdgeCosts(config),
              StatusIs(absl::StatusCode::kInvalidArgument, "too large"));
}

TEST(EdgeCostTest, SharesSumToOneAndWeighTheirCosts) {
  const EdgeCosts costs = CostsOf(NetworkConfig::Cifar());
  for (const CostKind kind : {CostKind::kMacs, CostKind::kParameters}) {
    const CostShares shares = SharesOf(costs, kind);
    EdgeMatrix ones{14, 7, std::vector<float>(14 * 7, 1)};
    EdgeMatrix zeros{14, 7, std::vector<float>(14 * 7, 0)};
    // 196 roundings to float, each within 2^-24 of its share; they sum to 1.
    constexpr double kRounding = 0x1p-24;
    EXPECT_NEAR(ExpectedShare(ones, ones, shares), 1, kRounding);
    EXPECT_EQ(ExpectedShare(zeros, zeros, shares), 0);
    // One candidate's weight counts by its cost, in its cell.
    EdgeMatrix one = zeros;
    one.values[7 * EdgeRow(3, 2) + ColumnOf(Primitive::kSepConv5x5)] = 0.5f;
    const auto value = [&](const EdgeCost& cost) {
      return static_cast<double>(kind == CostKind::kMacs ? cost.macs
                                                         : cost.parameters);
    };
    double sum = 0;
    for (const CellEdgeCosts* cell : {&costs.normal, &costs.reduce}) {
      for (const auto& row : *cell) {
        for (const EdgeCost& cost : row) sum += value(cost);
      }
    }
    const int row = EdgeRow(3, 2);
    const int col = ColumnOf(Primitive::kSepConv5x5);
    EXPECT_NEAR(ExpectedShare(one, zeros, shares),
                0.5 * value(costs.normal[row][col]) / sum, kRounding);
    EXPECT_NEAR(ExpectedShare(zeros, one, shares),
                0.5 * value(costs.reduce[row][col]) / sum, kRounding);
    EXPECT_NE(costs.normal[row][col].macs, costs.reduce[row][col].macs);
  }
}

}  // namespace
}  // namespace fairdarts
