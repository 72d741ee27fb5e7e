#include "fairdarts/random_search.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/random.h"
#include "fairdarts/base/status.h"
#include "fairdarts/decision.h"
#include "genotypes/cost.h"
#include "genotypes/edge_layout.h"
#include "genotypes/primitive.h"

namespace fairdarts {
namespace {

constexpr int kCandidates = static_cast<int>(kS1Candidates.size());
constexpr int kChosenEdges = 2 * kS1Nodes;
constexpr float kAlphaScale = 1e-3f;
constexpr double kMega = 1e6;

using CellAlphas = std::array<float, kS1Edges * kCandidates>;

CellAlphas DrawCell(absl::string_view cell, uint64_t seed, int index,
                    int64_t draw) {
  RandomStream stream(
      cell, {seed, static_cast<uint64_t>(index), static_cast<uint64_t>(draw)});
  CellAlphas alphas;
  for (float& alpha : alphas) alpha = kAlphaScale * stream.Normal();
  return alphas;
}

CellAlphas DrawNormal(uint64_t seed, int index, int64_t draw) {
  return DrawCell("random_search/normal", seed, index, draw);
}

CellAlphas DrawReduce(uint64_t seed, int index, int64_t draw) {
  return DrawCell("random_search/reduce", seed, index, draw);
}

// A candidate of an edge.
struct Choice {
  int row;
  int col;
};
using CellChoice = std::array<Choice, kChosenEdges>;

// The rule kDarts of Discretize() without its sorting: a list of genotypes
// takes tens of draws for each.
CellChoice Choose(const CellAlphas& alphas) {
  CellChoice chosen;
  int row = 0;
  for (int node = 0; node < kS1Nodes; ++node) {
    Choice best{-1, 0};
    Choice second{-1, 0};
    float best_score = 0;
    float second_score = 0;
    for (int from = 0; from < kCellInputs + node; ++from, ++row) {
      const float* const begin = &alphas[row * kCandidates];
      const float* const top = std::max_element(begin, begin + kCandidates);
      const Choice choice{row, static_cast<int>(top - begin)};
      // Only a higher score passes an earlier source.
      if (best.row < 0 || *top > best_score) {
        second = best;
        second_score = best_score;
        best = choice;
        best_score = *top;
      } else if (second.row < 0 || *top > second_score) {
        second = choice;
        second_score = *top;
      }
    }
    chosen[2 * node] = best;
    chosen[2 * node + 1] = second;
  }
  return chosen;
}

int SkipsOf(const CellChoice& chosen) {
  return static_cast<int>(
      std::count_if(chosen.begin(), chosen.end(), [](const Choice& choice) {
        return kS1Candidates[choice.col] == Primitive::kSkipConnect;
      }));
}

EdgeCost CostOf(const CellChoice& chosen, const CellEdgeCosts& costs) {
  EdgeCost sum;
  for (const Choice& choice : chosen) {
    sum = sum + costs[choice.row][choice.col];
  }
  return sum;
}

GenotypeCell CellOf(const CellChoice& chosen,
                    const std::vector<CellEdge>& layout) {
  GenotypeCell cell;
  for (const Choice& choice : chosen) {
    const CellEdge& edge = layout[choice.row];
    cell.edges.push_back({kS1Candidates[choice.col], edge.to, edge.from});
  }
  for (int i = 0; i < kS1Nodes; ++i) cell.concat.push_back(kCellInputs + i);
  return cell;
}

bool SkipsFit(int skips, const RandomSearchOptions& options) {
  return !options.num_identity.has_value() || skips == *options.num_identity;
}

bool MacsFit(int64_t macs, const RandomSearchOptions& options) {
  const double mega = static_cast<double>(macs) / kMega;
  return options.min_mega_macs <= mega && mega <= options.max_mega_macs;
}

// "2 skip connections in the normal cell and 500 to 510 MFLOPs".
std::string RequestText(const RandomSearchOptions& options) {
  std::string text;
  if (options.num_identity.has_value()) {
    text = absl::StrCat("exactly ", *options.num_identity,
                        " skip connections in the normal cell and ");
  }
  if (std::isinf(options.max_mega_macs)) {
    return absl::StrCat(text, "at least ", options.min_mega_macs, " MFLOPs");
  }
  return absl::StrCat(text, options.min_mega_macs, " to ",
                      options.max_mega_macs, " MFLOPs");
}

// What the draws for one genotype came to.
struct Draws {
  absl::optional<RandomGenotype> found;
  int64_t with_skips = 0;  // of them, and the multiply-accumulates of those
  int64_t fewest = std::numeric_limits<int64_t>::max();
  int64_t most = 0;
};

absl::Status NoneFits(const RandomSearchOptions& options, int index,
                      const Draws& draws) {
  std::string reached;
  if (draws.with_skips > 0) {
    const std::string macs = absl::StrFormat(
        "%.1f to %.1f MFLOPs", static_cast<double>(draws.fewest) / kMega,
        static_cast<double>(draws.most) / kMega);
    reached = options.num_identity.has_value()
                  ? absl::StrCat(draws.with_skips,
                                 " of them had the skips, with ", macs)
                  : absl::StrCat("they had ", macs);
  } else {
    reached = "none of them had that many skips";
  }
  return UsageError(absl::StrCat("random search, genotype ", index,
                                 ": none of ", options.max_draws, " draws had ",
                                 RequestText(options), "; ", reached,
                                 ": ask for what is not as rare"));
}

// Up to the first that fits.
Draws DrawUntilItFits(const RandomSearchOptions& options, int index,
                      const EdgeCosts& costs,
                      const std::vector<CellEdge>& layout) {
  Draws draws;
  for (int64_t draw = 0; draw < options.max_draws; ++draw) {
    const CellChoice normal = Choose(DrawNormal(options.seed, index, draw));
    const int skips = SkipsOf(normal);
    if (!SkipsFit(skips, options)) continue;
    const CellChoice reduce = Choose(DrawReduce(options.seed, index, draw));
    const EdgeCost cost = costs.constant + CostOf(normal, costs.normal) +
                          CostOf(reduce, costs.reduce);
    ++draws.with_skips;
    draws.fewest = std::min(draws.fewest, cost.macs);
    draws.most = std::max(draws.most, cost.macs);
    if (!MacsFit(cost.macs, options)) continue;
    RandomGenotype result;
    result.genotype.normal = CellOf(normal, layout);
    result.genotype.reduce = CellOf(reduce, layout);
    result.skips = skips;
    result.cost = cost;
    result.draw = draw;
    draws.found = std::move(result);
    break;
  }
  return draws;
}

}  // namespace

absl::Status CheckRandomSearch(const RandomSearchOptions& options) {
  if (options.num_arch < 1 || options.num_arch > kMaxRandomGenotypes) {
    return UsageError(absl::StrCat("num_arch ", options.num_arch,
                                   ": it has to be 1 to ",
                                   kMaxRandomGenotypes));
  }
  const int skips = options.num_identity.value_or(0);
  if (skips < 0 || skips > kChosenEdges) {
    return UsageError(absl::StrCat(
        "num_identity ", skips, ": the normal cell has ", kChosenEdges,
        " edges, so it has to be 0 to ", kChosenEdges));
  }
  // Also true where it is not a number.
  if (!(options.min_mega_macs >= 0) || std::isinf(options.min_mega_macs)) {
    return UsageError(absl::StrCat("flops_threshold ", options.min_mega_macs,
                                   ": it has to be a number of MFLOPs from 0 "
                                   "on"));
  }
  if (!(options.max_mega_macs >= options.min_mega_macs)) {
    return UsageError(absl::StrCat("at most ", options.max_mega_macs,
                                   " MFLOPs: it has to be a number not "
                                   "below the least, ",
                                   options.min_mega_macs));
  }
  if (options.max_draws < 1) {
    return UsageError(absl::StrCat("max_draws ", options.max_draws,
                                   ": it has to be at least 1"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<RandomGenotype>> RandomGenotypes(
    const RandomSearchOptions& options) {
  FD_RETURN_IF_ERROR(CheckRandomSearch(options));
  FD_ASSIGN_OR_RETURN(const EdgeCosts costs, ComputeEdgeCosts(options.network));
  const std::vector<CellEdge> layout = EdgeLayout(kS1Nodes);
  std::vector<RandomGenotype> list;
  for (int i = 0; i < options.num_arch; ++i) {
    Draws draws = DrawUntilItFits(options, i, costs, layout);
    if (!draws.found.has_value()) return NoneFits(options, i, draws);
    list.push_back(*std::move(draws.found));
  }
  return list;
}

absl::StatusOr<absl::optional<RandomGenotype>> FindRandomGenotype(
    const RandomSearchOptions& options) {
  FD_RETURN_IF_ERROR(CheckRandomSearch(options));
  FD_ASSIGN_OR_RETURN(const EdgeCosts costs, ComputeEdgeCosts(options.network));
  return DrawUntilItFits(options, /*index=*/0, costs, EdgeLayout(kS1Nodes))
      .found;
}

absl::StatusOr<bool> MatchesRandomSearch(const Genotype& genotype,
                                         const RandomSearchOptions& options) {
  FD_RETURN_IF_ERROR(CheckRandomSearch(options));
  FD_ASSIGN_OR_RETURN(const NetworkCost cost,
                      ComputeNetworkCost(genotype, options.network));
  return genotype.form == GenotypeForm::kPairs &&
         SkipsFit(CountSkips(genotype.normal), options) &&
         MacsFit(cost.total.macs, options);
}

RandomAlphas DrawAlphas(uint64_t seed, int index, int64_t draw) {
  const CellAlphas normal = DrawNormal(seed, index, draw);
  const CellAlphas reduce = DrawReduce(seed, index, draw);
  return {{kS1Edges, kCandidates, {normal.begin(), normal.end()}},
          {kS1Edges, kCandidates, {reduce.begin(), reduce.end()}}};
}

}  // namespace fairdarts
