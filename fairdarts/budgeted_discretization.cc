#include "fairdarts/budgeted_discretization.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <iterator>
#include <limits>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "genotypes/cell_graph.h"
#include "genotypes/edge_layout.h"
#include "genotypes/primitive.h"

namespace fairdarts {
namespace {

constexpr int kCandidates = static_cast<int>(kS1Candidates.size());
constexpr int kNodeSets = 1 << kS1Nodes;

// Which nodes a cell has: bit i is node kCellInputs + i.
using NodeSet = std::bitset<kS1Nodes>;

constexpr int kNothing = -1;

// What may be chosen on one edge: a candidate, or two under kThresholdEdge.
struct EdgeChoice {
  int first;              // column
  int second = kNothing;  // column
  double weight;
  EdgeCost cost;
};

// A choice on some of a cell's edges. The choices are a chain in an arena.
struct Partial {
  double weight = 0;
  EdgeCost cost;
  int last = kNothing;  // link
};
struct Link {
  int row;
  EdgeChoice choice;
  int before;  // link
};

// The best weight within a bound on parameters, of what was added so far.
class Staircase {
 public:
  // nullptr where nothing has so few parameters.
  const Partial* Best(int64_t parameters) const {
    const auto above = steps_.upper_bound(parameters);
    return above == steps_.begin() ? nullptr : std::prev(above)->second;
  }

  // `partial` outlives the staircase. What has more parameters and less weight
  // is no step any more. An equal weight stays: it came with fewer
  // multiply-accumulates, since these are added in ascending order.
  void Add(const Partial& partial) {
    const Partial* const best = Best(partial.cost.parameters);
    if (best != nullptr && best->weight >= partial.weight) return;
    auto it = steps_.lower_bound(partial.cost.parameters);
    while (it != steps_.end() && it->second->weight < partial.weight) {
      it = steps_.erase(it);
    }
    steps_[partial.cost.parameters] = &partial;
  }

 private:
  std::map<int64_t, const Partial*> steps_;
};

// By multiply-accumulates, ascending; without what another one beats or equals
// in all three.
std::vector<Partial> Unbeaten(std::vector<Partial> partials) {
  std::stable_sort(
      partials.begin(), partials.end(), [](const Partial& a, const Partial& b) {
        return std::make_tuple(a.cost.macs, a.cost.parameters, -a.weight) <
               std::make_tuple(b.cost.macs, b.cost.parameters, -b.weight);
      });
  Staircase staircase;
  std::vector<Partial> kept;
  for (const Partial& partial : partials) {
    const Partial* const best = staircase.Best(partial.cost.parameters);
    if (best != nullptr && best->weight >= partial.weight) continue;
    staircase.Add(partial);
    kept.push_back(partial);
  }
  return kept;
}

// How many edges a node has under a rule, where it has any.
struct EdgesPerNode {
  int least;
  int most;        // of those that are told apart
  bool unbounded;  // `most` stands for more too
};

EdgesPerNode EdgesOf(DiscretizationRule rule) {
  switch (rule) {
    case DiscretizationRule::kDarts:
      return {2, 2, false};
    case DiscretizationRule::kThresholdSparse:
      return {1, 2, false};
    case DiscretizationRule::kThresholdEdge:
      return {1, 1, true};
  }
  FD_CHECK(false) << "no such rule: " << static_cast<int>(rule);
  return {};
}

// All that one cell may become, by its nodes.
class CellChoices {
 public:
  CellChoices(const EdgeMatrix& matrix, const CellEdgeCosts& costs,
              DiscretizationRule rule, float threshold)
      : matrix_(matrix), costs_(costs), rule_(rule) {
    for (int row = 0; row < kS1Edges; ++row) AddEdgeChoices(row, threshold);
    AddNode(0, NodeSet(), {Partial()});
  }
  CellChoices(const CellChoices&) = delete;
  CellChoices& operator=(const CellChoices&) = delete;

  // The unbeaten choices with exactly these nodes, by ascending
  // multiply-accumulates.
  const std::vector<Partial>& Of(NodeSet nodes) const {
    return by_nodes_[nodes.to_ulong()];
  }

  bool Any() const {
    return std::any_of(by_nodes_.begin(), by_nodes_.end(),
                       [](const auto& choices) { return !choices.empty(); });
  }

  // The cell of a choice, its edges in the order of the rule.
  GenotypeCell CellOf(const Partial& choice) const {
    std::vector<Link> links;
    for (int i = choice.last; i != kNothing; i = links_[i].before) {
      links.push_back(links_[i]);
    }
    // The chain begins at the last edge.
    std::reverse(links.begin(), links.end());
    const std::vector<CellEdge> layout = EdgeLayout(kS1Nodes);
    if (rule_ != DiscretizationRule::kThresholdEdge) {
      // Of a node's edges the best first, ties to the lower source.
      std::stable_sort(
          links.begin(), links.end(), [&](const Link& a, const Link& b) {
            return std::make_pair(layout[a.row].to, -a.choice.weight) <
                   std::make_pair(layout[b.row].to, -b.choice.weight);
          });
    }
    GenotypeCell cell;
    for (const Link& link : links) {
      for (const int col : {link.choice.first, link.choice.second}) {
        if (col == kNothing) continue;
        const CellEdge& edge = layout[link.row];
        cell.edges.push_back({kS1Candidates[col], edge.to, edge.from});
      }
    }
    for (int i = 0; i < kS1Nodes; ++i) cell.concat.push_back(kCellInputs + i);
    return cell;
  }

 private:
  void AddEdgeChoices(int row, float threshold) {
    const bool any_weight = rule_ == DiscretizationRule::kDarts;
    std::vector<EdgeChoice> single;
    for (int col = 0; col < kCandidates; ++col) {
      const float weight = matrix_.At(row, col);
      if (!any_weight && weight < threshold) continue;
      single.push_back({col, kNothing, weight, costs_[row][col]});
    }
    choices_[row] = single;
    if (rule_ != DiscretizationRule::kThresholdEdge) return;
    for (size_t i = 0; i < single.size(); ++i) {
      for (size_t j = i + 1; j < single.size(); ++j) {
        // The smaller first, ties to the higher column behind.
        const bool ascending = single[i].weight <= single[j].weight;
        choices_[row].push_back({single[ascending ? i : j].first,
                                 single[ascending ? j : i].first,
                                 single[i].weight + single[j].weight,
                                 single[i].cost + single[j].cost});
      }
    }
  }

  // `before` is what the nodes below `node`, of which `nodes` exist, can be.
  void AddNode(int node, NodeSet nodes, const std::vector<Partial>& before) {
    if (node == kS1Nodes) {
      if (nodes.any()) by_nodes_[nodes.to_ulong()] = before;
      return;
    }
    if (before.empty()) return;
    if (rule_ != DiscretizationRule::kDarts) AddNode(node + 1, nodes, before);
    AddNode(node + 1, NodeSet(nodes).set(node),
            WithEdges(kCellInputs + node, nodes, before));
  }

  // `before` with every set of edges that state `to` may have.
  std::vector<Partial> WithEdges(int to, NodeSet nodes,
                                 const std::vector<Partial>& before) {
    const EdgesPerNode edges = EdgesOf(rule_);
    std::vector<std::vector<Partial>> by_count(edges.most + 1);
    by_count[0] = before;
    for (int from = 0; from < to; ++from) {
      if (from >= kCellInputs && !nodes.test(from - kCellInputs)) continue;
      const int row = EdgeRow(to, from);
      // Downwards, so that an edge is taken once.
      for (int count = edges.most; count > 0; --count) {
        std::vector<Partial> fewer = by_count[count - 1];
        if (edges.unbounded) {
          fewer.insert(fewer.end(), by_count[count].begin(),
                       by_count[count].end());
        }
        by_count[count] = WithEdge(row, fewer, std::move(by_count[count]));
      }
    }
    std::vector<Partial> all;
    for (int count = edges.least; count <= edges.most; ++count) {
      all.insert(all.end(), by_count[count].begin(), by_count[count].end());
    }
    return Unbeaten(std::move(all));
  }

  // `without` the edge, and `before` with each choice on it.
  std::vector<Partial> WithEdge(int row, const std::vector<Partial>& before,
                                std::vector<Partial> without) {
    // Links are made for what is kept only: until then `last` counts up from
    // the end of the arena.
    struct Candidate {
      int before;
      int choice;
    };
    const int first_link = static_cast<int>(links_.size());
    std::vector<Candidate> candidates;
    std::vector<Partial> all = std::move(without);
    for (const Partial& partial : before) {
      for (size_t i = 0; i < choices_[row].size(); ++i) {
        const EdgeChoice& choice = choices_[row][i];
        all.push_back({partial.weight + choice.weight,
                       partial.cost + choice.cost,
                       first_link + static_cast<int>(candidates.size())});
        candidates.push_back({partial.last, static_cast<int>(i)});
      }
    }
    std::vector<Partial> kept = Unbeaten(std::move(all));
    for (Partial& partial : kept) {
      if (partial.last < first_link) continue;
      const Candidate& candidate = candidates[partial.last - first_link];
      partial.last = static_cast<int>(links_.size());
      links_.push_back(
          {row, choices_[row][candidate.choice], candidate.before});
    }
    return kept;
  }

  const EdgeMatrix& matrix_;
  const CellEdgeCosts& costs_;
  const DiscretizationRule rule_;
  std::array<std::vector<EdgeChoice>, kS1Edges> choices_;
  std::vector<Link> links_;
  std::array<std::vector<Partial>, kNodeSets> by_nodes_;
};

constexpr int64_t kNoBound = std::numeric_limits<int64_t>::max();

bool Keeps(const EdgeCost& cost, const Budget& budget) {
  return cost.macs <= budget.macs.value_or(kNoBound) &&
         cost.parameters <= budget.parameters.value_or(kNoBound);
}

// A choice for both cells.
struct Pair {
  Partial normal;
  Partial reduce;
  EdgeCost cost;  // of the network
  double weight() const { return normal.weight + reduce.weight; }
};

bool Better(const Pair& a, const Pair& b) {
  return std::make_tuple(-a.weight(), a.cost.macs, a.cost.parameters) <
         std::make_tuple(-b.weight(), b.cost.macs, b.cost.parameters);
}

class PairSearch {
 public:
  static absl::StatusOr<PairSearch> Create(const CellChoices& normal,
                                           const CellChoices& reduce,
                                           const NetworkConfig& config) {
    PairSearch search(normal, reduce);
    for (int n = 1; n <= kS1Nodes; ++n) {
      for (int r = 1; r <= kS1Nodes; ++r) {
        FD_ASSIGN_OR_RETURN(search.constant_[n][r], ConstantCost(config, n, r));
      }
    }
    return search;
  }

  absl::optional<Pair> Best(const Budget& budget) const {
    absl::optional<Pair> best;
    ForEachNodes([&](const EdgeCost& constant,
                     const std::vector<Partial>& normals,
                     const std::vector<Partial>& reduces) {
      const int64_t macs = budget.macs.value_or(kNoBound) - constant.macs;
      const int64_t parameters =
          budget.parameters.value_or(kNoBound) - constant.parameters;
      // The cheaper a normal cell, the more reduction cells go with it.
      Staircase affordable;
      auto next = reduces.begin();
      for (auto normal = normals.rbegin(); normal != normals.rend(); ++normal) {
        while (next != reduces.end() &&
               next->cost.macs <= macs - normal->cost.macs) {
          affordable.Add(*next++);
        }
        const Partial* const reduce =
            affordable.Best(parameters - normal->cost.parameters);
        if (reduce == nullptr) continue;
        const Pair pair{*normal, *reduce,
                        constant + normal->cost + reduce->cost};
        if (!best.has_value() || Better(pair, *best)) best = pair;
      }
    });
    return best;
  }

  // The usage error of a budget that nothing keeps.
  absl::Status NothingKeeps(const Budget& budget,
                            DiscretizationRule rule) const {
    int64_t fewest_macs = kNoBound;
    int64_t fewest_parameters = kNoBound;
    ForEachNodes([&](const EdgeCost& constant,
                     const std::vector<Partial>& normals,
                     const std::vector<Partial>& reduces) {
      const auto fewest = [&](int64_t EdgeCost::*kind) {
        const auto of_cell = [&](const std::vector<Partial>& choices) {
          int64_t least = kNoBound;
          for (const Partial& choice : choices) {
            least = std::min(least, choice.cost.*kind);
          }
          return least;
        };
        return constant.*kind + of_cell(normals) + of_cell(reduces);
      };
      fewest_macs = std::min(fewest_macs, fewest(&EdgeCost::macs));
      fewest_parameters =
          std::min(fewest_parameters, fewest(&EdgeCost::parameters));
    });
    std::string bound;
    if (budget.macs.has_value()) {
      absl::StrAppend(&bound, *budget.macs, " multiply-accumulates");
    }
    if (budget.parameters.has_value()) {
      absl::StrAppend(&bound, bound.empty() ? "" : " and ", *budget.parameters,
                      " parameters");
    }
    return UsageError(
        absl::StrCat("no genotype that the rule ", DiscretizationRuleName(rule),
                     " could choose keeps the budget of ", bound,
                     "; the least that one can have is ", fewest_macs,
                     " multiply-accumulates and, by itself, ",
                     fewest_parameters, " parameters"));
  }

 private:
  PairSearch(const CellChoices& normal, const CellChoices& reduce)
      : normal_(normal), reduce_(reduce) {}

  // Calls visit(constant cost, normal choices, reduce choices) for the nodes of
  // both cells that some choices have.
  template <typename Visit>
  void ForEachNodes(Visit visit) const {
    for (int n = 1; n < kNodeSets; ++n) {
      if (normal_.Of(n).empty()) continue;
      for (int r = 1; r < kNodeSets; ++r) {
        if (reduce_.Of(r).empty()) continue;
        visit(constant_[NodeSet(n).count()][NodeSet(r).count()], normal_.Of(n),
              reduce_.Of(r));
      }
    }
  }

  const CellChoices& normal_;
  const CellChoices& reduce_;
  // By the number of nodes of either cell.
  std::array<std::array<EdgeCost, kS1Nodes + 1>, kS1Nodes + 1> constant_;
};

absl::Status CheckBudget(const Budget& budget) {
  const std::pair<const char*, const absl::optional<int64_t>&> bounds[] = {
      {"multiply-accumulates", budget.macs}, {"parameters", budget.parameters}};
  for (const auto& [name, bound] : bounds) {
    if (bound.value_or(0) < 0) {
      return UsageError(absl::StrCat("budget of ", *bound, " ", name,
                                     ": it cannot be negative"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckAny(const CellChoices& choices, float threshold) {
  if (choices.Any()) return absl::OkStatus();
  return DataError(
      absl::StrCat("no node is fed by a candidate at or above the threshold ",
                   threshold, ", so there is no network to keep a budget"));
}

// Of the edges that read a state that exists.
double SumOfWeights(const GenotypeCell& cell, GenotypeForm form,
                    const EdgeMatrix& matrix) {
  const CellGraph graph = MakeCellGraph(cell, form);
  double sum = 0;
  for (size_t i = 0; i < cell.edges.size(); ++i) {
    if (!graph.live[i]) continue;
    const GenotypeEdge& edge = cell.edges[i];
    const auto* const candidate =
        std::find(kS1Candidates.begin(), kS1Candidates.end(), edge.op);
    sum += matrix.At(EdgeRow(edge.to, edge.from),
                     static_cast<int>(candidate - kS1Candidates.begin()));
  }
  return sum;
}

absl::StatusOr<EdgeCost> CostOf(const Genotype& genotype,
                                const NetworkConfig& config) {
  FD_ASSIGN_OR_RETURN(const NetworkCost cost,
                      ComputeNetworkCost(genotype, config));
  return EdgeCost{cost.total.macs, cost.total.parameters};
}

}  // namespace

absl::StatusOr<BudgetedGenotype> DiscretizeUnderBudget(
    const EdgeMatrix& normal, const EdgeMatrix& reduce, DiscretizationRule rule,
    float threshold, const Budget& budget, const NetworkConfig& config) {
  FD_RETURN_IF_ERROR(CheckBudget(budget));
  BudgetedGenotype result;
  FD_ASSIGN_OR_RETURN(result.genotype,
                      Discretize(normal, reduce, rule, threshold));
  if (CheckBuildable(result.genotype).ok()) {
    FD_ASSIGN_OR_RETURN(result.cost, CostOf(result.genotype, config));
    if (Keeps(result.cost, budget)) {
      const GenotypeForm form = result.genotype.form;
      result.weight = SumOfWeights(result.genotype.normal, form, normal) +
                      SumOfWeights(result.genotype.reduce, form, reduce);
      return result;
    }
  }

  FD_ASSIGN_OR_RETURN(const EdgeCosts costs, ComputeEdgeCosts(config));
  const CellChoices normals(normal, costs.normal, rule, threshold);
  const CellChoices reduces(reduce, costs.reduce, rule, threshold);
  FD_RETURN_IF_ERROR(Annotate(CheckAny(normals, threshold), "normal cell"));
  FD_RETURN_IF_ERROR(Annotate(CheckAny(reduces, threshold), "reduction cell"));
  FD_ASSIGN_OR_RETURN(const PairSearch search,
                      PairSearch::Create(normals, reduces, config));
  const absl::optional<Pair> best = search.Best(budget);
  if (!best.has_value()) return search.NothingKeeps(budget, rule);
  result.genotype.normal = normals.CellOf(best->normal);
  result.genotype.reduce = reduces.CellOf(best->reduce);
  result.cost = best->cost;
  result.weight = best->weight();
  result.reduced = true;
  FD_ASSIGN_OR_RETURN(const EdgeCost whole, CostOf(result.genotype, config));
  FD_CHECK(whole == result.cost) << "the cost of edges does not add up";
  return result;
}

}  // namespace fairdarts
