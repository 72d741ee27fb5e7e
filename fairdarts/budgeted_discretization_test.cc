#include "fairdarts/budgeted_discretization.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/random.h"
#include "genotypes/cell_graph.h"
#include "genotypes/edge_layout.h"
#include "genotypes/primitive.h"
#include "genotypes/python_literal.h"
#include "tests/golden/golden_data.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr float kThreshold = 0.85f;
constexpr int kCandidates = 7;
constexpr int64_t kMany = std::numeric_limits<int64_t>::max();

EdgeMatrix Constant(float value) {
  return {14, 7, std::vector<float>(14 * 7, value)};
}

void Set(EdgeMatrix& matrix, int to, int from, Primitive op, float weight) {
  const auto* const candidate =
      std::find(kS1Candidates.begin(), kS1Candidates.end(), op);
  matrix.values[EdgeRow(to, from) * kCandidates +
                (candidate - kS1Candidates.begin())] = weight;
}

// Weights in steps of 1/256, so that sums are exact and ties happen.
EdgeMatrix Random(uint64_t seed) {
  RandomStream stream("budgeted_discretization_test", {seed});
  EdgeMatrix matrix = Constant(0);
  for (float& value : matrix.values) {
    value = static_cast<float>(stream.Below(257)) / 256;
  }
  return matrix;
}

// As above, with `count` of them at or above the threshold.
EdgeMatrix Sparse(uint64_t seed, int count) {
  RandomStream stream("budgeted_discretization_test/sparse", {seed});
  std::vector<int> order(14 * 7);
  for (int i = 0; i < 14 * 7; ++i) order[i] = i;
  stream.Shuffle(order);
  EdgeMatrix matrix = Constant(0.125f);
  for (int i = 0; i < count; ++i) {
    matrix.values[order[i]] = static_cast<float>(220 + stream.Below(37)) / 256;
  }
  return matrix;
}

NetworkConfig SmallNetwork() {
  NetworkConfig config = NetworkConfig::Cifar();
  config.init_channels = 8;
  config.layers = 3;
  return config;
}

EdgeCost WholeCost(const Genotype& genotype, const NetworkConfig& config) {
  const auto cost = ComputeNetworkCost(genotype, config);
  EXPECT_THAT(cost, IsOk());
  return {cost->total.macs, cost->total.parameters};
}

// What a genotype is worth to a budget: better ones compare lower.
struct Worth {
  double weight;
  EdgeCost cost;
  friend bool operator<(const Worth& a, const Worth& b) {
    return std::make_tuple(-a.weight, a.cost.macs, a.cost.parameters) <
           std::make_tuple(-b.weight, b.cost.macs, b.cost.parameters);
  }
  friend bool operator==(const Worth& a, const Worth& b) {
    return a.weight == b.weight && a.cost == b.cost;
  }
};

std::ostream& operator<<(std::ostream& os, const Worth& worth) {
  return os << worth.weight << " at " << worth.cost.macs << ", "
            << worth.cost.parameters;
}

bool Keeps(const EdgeCost& cost, const Budget& budget) {
  return cost.macs <= budget.macs.value_or(kMany) &&
         cost.parameters <= budget.parameters.value_or(kMany);
}

// Budgets at the costs of some genotypes and one below: of one kind and both.
std::vector<Budget> BudgetsAround(const std::vector<Worth>& all, int step) {
  std::vector<Budget> budgets;
  for (size_t i = 0; i < all.size(); i += step) {
    const EdgeCost& cost = all[i].cost;
    const EdgeCost& other = all[(i + all.size() / 2) % all.size()].cost;
    for (const int64_t less : {0, 1}) {
      Budget budget;
      budget.macs = cost.macs - less;
      budgets.push_back(budget);
      budget.parameters = other.parameters - less;
      budgets.push_back(budget);
      budget.parameters = cost.parameters - less;
      budgets.push_back(budget);
      budget.macs.reset();
      budgets.push_back(budget);
    }
  }
  return budgets;
}

// The result for every budget is the best of `all` that keeps it.
void ExpectBestOf(const std::vector<Worth>& all, const EdgeMatrix& normal,
                  const EdgeMatrix& reduce, DiscretizationRule rule,
                  const NetworkConfig& config,
                  const std::vector<Budget>& budgets) {
  const auto unbounded = Discretize(normal, reduce, rule, kThreshold);
  ASSERT_THAT(unbounded, IsOk());
  bool all_live = true;
  for (const GenotypeCell* cell : {&unbounded->normal, &unbounded->reduce}) {
    for (const bool live : MakeCellGraph(*cell, unbounded->form).live) {
      all_live &= live;
    }
  }
  int reduced = 0;
  for (const Budget& budget : budgets) {
    SCOPED_TRACE(absl::StrCat("budget ", budget.macs.value_or(-1), ", ",
                              budget.parameters.value_or(-1)));
    const auto result =
        DiscretizeUnderBudget(normal, reduce, rule, kThreshold, budget, config);
    const Worth* best = nullptr;
    for (const Worth& worth : all) {
      if (Keeps(worth.cost, budget) && (best == nullptr || worth < *best)) {
        best = &worth;
      }
    }
    if (best == nullptr) {
      EXPECT_THAT(result, ExitCodeIs(ExitCode::kUsage));
      continue;
    }
    ASSERT_THAT(result, IsOk());
    EXPECT_TRUE(Keeps(result->cost, budget));
    EXPECT_TRUE(result->cost == WholeCost(result->genotype, config));
    EXPECT_THAT(result->genotype.Validate(), IsOk());
    if (result->reduced) {
      ++reduced;
      EXPECT_EQ((Worth{result->weight, result->cost}), *best)
          << ToPythonText(result->genotype);
    } else {
      // Ties of the rule itself are broken without a look at costs; and what
      // it chose from missing nodes might have gone to others.
      EXPECT_LE(result->weight, best->weight);
      if (all_live) {
        EXPECT_EQ(result->weight, best->weight);
      }
      EXPECT_TRUE(result->genotype == *unbounded);
    }
  }
  EXPECT_GT(reduced, 0);
}

// Sums of costs that a cell of the darts form can have, each with its largest
// sum of weights: nothing else is left out.
using BestByCost = std::map<std::pair<int64_t, int64_t>, double>;

void Offer(BestByCost& best, const EdgeCost& cost, double weight) {
  const auto [it, added] = best.insert({{cost.macs, cost.parameters}, weight});
  if (!added) it->second = std::max(it->second, weight);
}

BestByCost DartsCells(const EdgeMatrix& matrix, const CellEdgeCosts& costs) {
  BestByCost cells = {{{0, 0}, 0.0}};
  for (int to = 2; to < 6; ++to) {
    BestByCost with_node;
    for (int a = 0; a < to; ++a) {
      for (int b = 0; b < a; ++b) {
        for (int i = 0; i < kCandidates; ++i) {
          for (int j = 0; j < kCandidates; ++j) {
            const int row = EdgeRow(to, a);
            const int other = EdgeRow(to, b);
            const EdgeCost cost = costs[row][i] + costs[other][j];
            const double weight =
                double{matrix.At(row, i)} + double{matrix.At(other, j)};
            for (const auto& [before, before_weight] : cells) {
              Offer(with_node, cost + EdgeCost{before.first, before.second},
                    before_weight + weight);
            }
          }
        }
      }
    }
    cells = std::move(with_node);
  }
  return cells;
}

TEST(BudgetedDiscretizationTest, DartsIsBestOfAllSumsOfCosts) {
  const NetworkConfig config = NetworkConfig::Cifar();
  const auto costs = ComputeEdgeCosts(config);
  ASSERT_THAT(costs, IsOk());
  for (const uint64_t seed : {1, 2}) {
    SCOPED_TRACE(seed);
    const EdgeMatrix normal = Random(2 * seed);
    const EdgeMatrix reduce = Random(2 * seed + 1);
    std::vector<Worth> all;
    const BestByCost reduces = DartsCells(reduce, costs->reduce);
    for (const auto& [n, n_weight] : DartsCells(normal, costs->normal)) {
      for (const auto& [r, r_weight] : reduces) {
        all.push_back({n_weight + r_weight,
                       costs->constant +
                           EdgeCost{n.first + r.first, n.second + r.second}});
      }
    }
    EXPECT_GT(all.size(), 50000u);
    ExpectBestOf(all, normal, reduce, DiscretizationRule::kDarts, config,
                 BudgetsAround(all, static_cast<int>(all.size() / 9)));
  }
}

// All sets of candidates at or above the threshold that a cell may be: at most
// `per_edge` an edge and `per_node` edges a node, no edge from a missing node,
// not empty.
std::vector<GenotypeCell> SparseCells(const EdgeMatrix& matrix, int per_edge,
                                      int per_node) {
  std::vector<GenotypeEdge> candidates;
  const std::vector<CellEdge> layout = EdgeLayout(kS1Nodes);
  for (int row = 0; row < 14; ++row) {
    for (int col = 0; col < kCandidates; ++col) {
      if (matrix.At(row, col) < kThreshold) continue;
      candidates.push_back(
          {kS1Candidates[col], layout[row].to, layout[row].from});
    }
  }
  std::vector<GenotypeCell> cells;
  for (int set = 1; set < 1 << candidates.size(); ++set) {
    GenotypeCell cell;
    std::map<int, int> on_edge;
    std::map<int, std::map<int, int>> on_node;
    for (size_t i = 0; i < candidates.size(); ++i) {
      if ((set >> i & 1) == 0) continue;
      const GenotypeEdge& edge = candidates[i];
      cell.edges.push_back(edge);
      ++on_edge[EdgeRow(edge.to, edge.from)];
      ++on_node[edge.to][edge.from];
    }
    cell.concat = {2, 3, 4, 5};
    bool allowed = true;
    for (const auto& [edge, count] : on_edge) allowed &= count <= per_edge;
    for (const auto& [node, from] : on_node) {
      allowed &= static_cast<int>(from.size()) <= per_node;
    }
    const CellGraph graph = MakeCellGraph(cell, GenotypeForm::kThreshold);
    for (const bool live : graph.live) allowed &= live;
    if (allowed) cells.push_back(cell);
  }
  return cells;
}

double SumOf(const GenotypeCell& cell, const EdgeMatrix& matrix) {
  double sum = 0;
  for (const GenotypeEdge& edge : cell.edges) {
    const auto* const candidate =
        std::find(kS1Candidates.begin(), kS1Candidates.end(), edge.op);
    sum += matrix.At(EdgeRow(edge.to, edge.from),
                     static_cast<int>(candidate - kS1Candidates.begin()));
  }
  return sum;
}

TEST(BudgetedDiscretizationTest, ThresholdRulesAreBestOfAllSubsets) {
  const NetworkConfig config = SmallNetwork();
  for (const DiscretizationRule rule : {DiscretizationRule::kThresholdSparse,
                                        DiscretizationRule::kThresholdEdge}) {
    const bool sparse = rule == DiscretizationRule::kThresholdSparse;
    for (uint64_t seed = 0; seed < 5; ++seed) {
      SCOPED_TRACE(absl::StrCat(DiscretizationRuleName(rule), ", ", seed));
      const EdgeMatrix normal = Sparse(2 * seed, 7);
      const EdgeMatrix reduce = Sparse(2 * seed + 1, 7);
      std::vector<Worth> all;
      const auto cells_of = [&](const EdgeMatrix& matrix) {
        return SparseCells(matrix, sparse ? 1 : 2, sparse ? 2 : 5);
      };
      Genotype genotype;
      genotype.form = GenotypeForm::kThreshold;
      for (const GenotypeCell& n : cells_of(normal)) {
        genotype.normal = n;
        for (const GenotypeCell& r : cells_of(reduce)) {
          genotype.reduce = r;
          all.push_back({SumOf(n, normal) + SumOf(r, reduce),
                         WholeCost(genotype, config)});
        }
      }
      ASSERT_GT(all.size(), 20u);
      ExpectBestOf(
          all, normal, reduce, rule, config,
          BudgetsAround(all, std::max(1, static_cast<int>(all.size()) / 7)));
    }
  }
}

TEST(BudgetedDiscretizationTest, GivesUpTheLeastByHand) {
  // Node 2 wants two sep_conv_5x5 and would rather give up the first, for
  // dil_conv_3x3 at 0.8, than the second, whose next best is 0.5.
  EdgeMatrix normal = Constant(0.1f);
  Set(normal, 2, 0, Primitive::kSepConv5x5, 0.91f);
  Set(normal, 2, 0, Primitive::kDilConv3x3, 0.8f);
  Set(normal, 2, 1, Primitive::kSepConv5x5, 0.9f);
  Set(normal, 2, 1, Primitive::kDilConv3x3, 0.5f);
  const EdgeMatrix reduce = Constant(0.1f);
  const NetworkConfig config = NetworkConfig::Cifar();
  const auto costs = ComputeEdgeCosts(config);
  ASSERT_THAT(costs, IsOk());
  const auto cost_of = [&](Primitive op) {
    const auto* const candidate =
        std::find(kS1Candidates.begin(), kS1Candidates.end(), op);
    return costs->normal[EdgeRow(2, 0)][candidate - kS1Candidates.begin()];
  };
  const EdgeCost sep = cost_of(Primitive::kSepConv5x5);
  const EdgeCost dil = cost_of(Primitive::kDilConv3x3);
  const EdgeCost wanted = costs->constant + sep + sep;
  const auto derive = [&](const Budget& budget) {
    return DiscretizeUnderBudget(normal, reduce, DiscretizationRule::kDarts,
                                 kThreshold, budget, config);
  };
  const auto node_2 = [](const Genotype& genotype) {
    return std::vector<GenotypeEdge>(genotype.normal.edges.begin(),
                                     genotype.normal.edges.begin() + 2);
  };
  Budget budget;
  budget.macs = wanted.macs;
  budget.parameters = wanted.parameters;
  auto result = derive(budget);
  ASSERT_THAT(result, IsOk());
  EXPECT_FALSE(result->reduced);
  EXPECT_TRUE(result->cost == wanted);

  const Budget one_less_each[] = {
      {wanted.macs - 1, absl::nullopt},
      {absl::nullopt, wanted.parameters - 1},
      {(costs->constant + sep + dil).macs, wanted.parameters}};
  for (const Budget& less : one_less_each) {
    result = derive(less);
    ASSERT_THAT(result, IsOk());
    EXPECT_TRUE(result->reduced);
    // Best first.
    EXPECT_THAT(node_2(result->genotype),
                ElementsAre(GenotypeEdge{Primitive::kSepConv5x5, 2, 1},
                            GenotypeEdge{Primitive::kDilConv3x3, 2, 0}));
    EXPECT_TRUE(result->cost == costs->constant + sep + dil);
  }

  // Room for one dil_conv_3x3 only.
  budget.macs = (costs->constant + dil).macs;
  result = derive(budget);
  ASSERT_THAT(result, IsOk());
  EXPECT_THAT(node_2(result->genotype),
              ElementsAre(GenotypeEdge{Primitive::kDilConv3x3, 2, 0},
                          GenotypeEdge{Primitive::kMaxPool3x3, 2, 1}));

  // The smallest of all, and none below.
  budget.macs = costs->constant.macs;
  result = derive(budget);
  ASSERT_THAT(result, IsOk());
  EXPECT_TRUE(result->cost == costs->constant);
  budget.macs = costs->constant.macs - 1;
  EXPECT_THAT(
      derive(budget),
      StatusIs(absl::StatusCode::kInvalidArgument,
               absl::StrCat("the rule darts could choose keeps the budget of ",
                            *budget.macs, " multiply-accumulates and ",
                            *budget.parameters,
                            " parameters; the least that one can have is ",
                            costs->constant.macs)));
  budget.macs.reset();
  budget.parameters = costs->constant.parameters - 1;
  EXPECT_THAT(derive(budget),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       absl::StrCat("by itself, ", costs->constant.parameters,
                                    " parameters")));
}

TEST(BudgetedDiscretizationTest, EqualSumsGoToFewerMacsThenFewerParameters) {
  // In the reduction cell five skips of inputs weigh as much as two
  // sep_conv_5x5; they have fewer multiply-accumulates and more parameters.
  EdgeMatrix reduce = Constant(0);
  for (const CellEdge edge : {CellEdge{2, 0}, {2, 1}, {3, 0}, {3, 1}, {4, 0}}) {
    Set(reduce, edge.to, edge.from, Primitive::kSkipConnect, 0.125f);
  }
  for (const int from : {0, 1}) {
    Set(reduce, 5, from, Primitive::kSepConv5x5, 0.3125f);
  }
  const EdgeMatrix normal = Constant(0);
  const NetworkConfig config = NetworkConfig::Cifar();
  const auto costs = ComputeEdgeCosts(config);
  ASSERT_THAT(costs, IsOk());
  const EdgeCost& skip = costs->reduce[EdgeRow(2, 0)][2];
  const EdgeCost& sep = costs->reduce[EdgeRow(5, 0)][4];
  const EdgeCost skips = costs->constant + skip + skip + skip + skip + skip;
  const EdgeCost seps = costs->constant + sep + sep;
  ASSERT_LT(skips.macs, seps.macs);
  ASSERT_GT(skips.parameters, seps.parameters);
  const auto derive = [&](const Budget& budget) {
    const auto result = DiscretizeUnderBudget(
        normal, reduce, DiscretizationRule::kDarts, kThreshold, budget, config);
    EXPECT_THAT(result, IsOk());
    EXPECT_EQ(result->weight, 0.625);
    return result->cost;
  };
  EXPECT_TRUE(derive({seps.macs, absl::nullopt}) == skips);
  EXPECT_TRUE(derive({seps.macs, skips.parameters}) == skips);
  EXPECT_TRUE(derive({seps.macs, seps.parameters}) == seps);
}

TEST(BudgetedDiscretizationTest, ThresholdEdgeKeepsItsOrder) {
  // Both candidates of an edge stay, the smaller first, when another edge has
  // to go.
  EdgeMatrix normal = Constant(0.1f);
  Set(normal, 2, 0, Primitive::kDilConv3x3, 0.95f);
  Set(normal, 2, 0, Primitive::kSkipConnect, 0.99f);
  Set(normal, 2, 1, Primitive::kMaxPool3x3, 0.9f);
  Set(normal, 2, 1, Primitive::kAvgPool3x3, 0.9f);
  Set(normal, 5, 0, Primitive::kSepConv5x5, 0.86f);
  EdgeMatrix reduce = Constant(0.1f);
  // At the threshold: kept.
  Set(reduce, 3, 1, Primitive::kAvgPool3x3, kThreshold);
  const NetworkConfig config = NetworkConfig::Cifar();
  const auto whole = Discretize(normal, reduce,
                                DiscretizationRule::kThresholdEdge, kThreshold);
  ASSERT_THAT(whole, IsOk());
  Budget budget;
  budget.macs = WholeCost(*whole, config).macs - 1;
  const auto result =
      DiscretizeUnderBudget(normal, reduce, DiscretizationRule::kThresholdEdge,
                            kThreshold, budget, config);
  ASSERT_THAT(result, IsOk());
  EXPECT_THAT(result->genotype.normal.edges,
              ElementsAre(GenotypeEdge{Primitive::kDilConv3x3, 2, 0},
                          GenotypeEdge{Primitive::kSkipConnect, 2, 0},
                          GenotypeEdge{Primitive::kMaxPool3x3, 2, 1},
                          GenotypeEdge{Primitive::kAvgPool3x3, 2, 1}));
  EXPECT_TRUE(result->genotype.reduce == whole->reduce);
}

EdgeMatrix FromJson(const nlohmann::json& rows) {
  EdgeMatrix matrix{14, 7, {}};
  for (const auto& row : rows) {
    for (const auto& value : row) matrix.values.push_back(value.get<float>());
  }
  return matrix;
}

TEST(BudgetedDiscretizationTest, WithinTheBudgetEveryGoldenCaseIsTheRules) {
  const nlohmann::json golden = ReadGoldenJson("discretize.json");
  const NetworkConfig config = NetworkConfig::Cifar();
  int buildable = 0;
  int index = 0;
  for (const auto& c : golden["cases"]) {
    SCOPED_TRACE(absl::StrCat("case ", index++));
    const auto rule = ParseDiscretizationRule(c["method"].get<std::string>());
    ASSERT_THAT(rule, IsOk());
    const float threshold =
        c["threshold"].is_null() ? kThreshold : c["threshold"].get<float>();
    const EdgeMatrix normal = FromJson(c["normal_weight"]);
    const EdgeMatrix reduce = FromJson(c["reduce_weight"]);
    const auto expected = Discretize(normal, reduce, *rule, threshold);
    ASSERT_THAT(expected, IsOk());
    if (!CheckBuildable(*expected).ok()) continue;
    ++buildable;
    const EdgeCost cost = WholeCost(*expected, config);
    for (const Budget& budget :
         {Budget(), Budget{cost.macs, cost.parameters}}) {
      const auto result = DiscretizeUnderBudget(normal, reduce, *rule,
                                                threshold, budget, config);
      ASSERT_THAT(result, IsOk());
      EXPECT_TRUE(result->genotype == *expected);
      EXPECT_FALSE(result->reduced);
      EXPECT_TRUE(result->cost == cost);
    }
    if (index % 4 != 0) continue;
    // One below, where anything smaller can be chosen.
    const Budget below{cost.macs - 1, cost.parameters};
    const auto result =
        DiscretizeUnderBudget(normal, reduce, *rule, threshold, below, config);
    if (result.ok()) {
      EXPECT_TRUE(result->reduced);
      EXPECT_TRUE(Keeps(result->cost, below));
      EXPECT_THAT(CheckBuildable(result->genotype), IsOk());
    } else {
      EXPECT_THAT(result, ExitCodeIs(ExitCode::kUsage));
    }
  }
  EXPECT_GT(buildable, 150);
}

TEST(BudgetedDiscretizationTest, RefusesWhatHasNoNetworkOrNoMeaning) {
  const NetworkConfig config = NetworkConfig::Cifar();
  const EdgeMatrix undecided = Constant(0.5f);
  EdgeMatrix decided = undecided;
  Set(decided, 2, 0, Primitive::kSepConv3x3, 0.9f);
  const auto derive = [&](const EdgeMatrix& normal, const EdgeMatrix& reduce,
                          const Budget& budget) {
    return DiscretizeUnderBudget(normal, reduce,
                                 DiscretizationRule::kThresholdSparse,
                                 kThreshold, budget, config);
  };
  const Budget ample{kMany, kMany};
  EXPECT_THAT(derive(decided, decided, ample), IsOk());
  EXPECT_THAT(derive(undecided, decided, ample),
              StatusIs(absl::StatusCode::kDataLoss,
                       "normal cell: no node is fed by a candidate at or "
                       "above the threshold 0.85"));
  EXPECT_THAT(derive(decided, undecided, ample),
              StatusIs(absl::StatusCode::kDataLoss, "reduction cell: no node"));
  // Alone on an edge from a missing node it feeds nothing.
  EdgeMatrix dangling = undecided;
  Set(dangling, 3, 2, Primitive::kSepConv3x3, 0.9f);
  EXPECT_THAT(derive(dangling, decided, ample),
              StatusIs(absl::StatusCode::kDataLoss, "normal cell: no node"));
  EXPECT_THAT(derive(decided, decided, Budget{-1, absl::nullopt}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "budget of -1 multiply-accumulates: it cannot"));
  EXPECT_THAT(derive(decided, decided, Budget{absl::nullopt, -5}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "budget of -5 parameters: it cannot"));
  EXPECT_THAT(derive({7, 14, decided.values}, decided, ample),
              ExitCodeIs(ExitCode::kData));
  NetworkConfig odd = config;
  odd.init_channels = 7;
  EXPECT_THAT(
      DiscretizeUnderBudget(decided, decided, DiscretizationRule::kDarts,
                            kThreshold, Budget{1, 1}, odd),
      StatusIs(absl::StatusCode::kInvalidArgument, "init_channels"));
}

TEST(BudgetedDiscretizationTest, FindsANetworkWhereTheRuleItselfHasNone) {
  // Node 5's two best edges are from nodes that are missing, so that the rule
  // leaves an empty cell; a third edge feeds it.
  EdgeMatrix normal = Constant(0.5f);
  Set(normal, 5, 2, Primitive::kSepConv3x3, 0.95f);
  Set(normal, 5, 3, Primitive::kSepConv3x3, 0.95f);
  Set(normal, 5, 0, Primitive::kSepConv5x5, 0.9f);
  EdgeMatrix reduce = Constant(0.5f);
  Set(reduce, 2, 0, Primitive::kMaxPool3x3, 0.9f);
  const auto result = DiscretizeUnderBudget(
      normal, reduce, DiscretizationRule::kThresholdSparse, kThreshold,
      Budget{kMany, kMany}, NetworkConfig::Cifar());
  ASSERT_THAT(result, IsOk());
  EXPECT_TRUE(result->reduced);
  EXPECT_THAT(result->genotype.normal.edges,
              ElementsAre(GenotypeEdge{Primitive::kSepConv5x5, 5, 0}));
}

}  // namespace
}  // namespace fairdarts
