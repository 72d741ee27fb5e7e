#include "fairdarts/discretization.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "genotypes/edge_layout.h"
#include "genotypes/primitive.h"

namespace fairdarts {
namespace {

constexpr int kCandidates = static_cast<int>(kS1Candidates.size());
constexpr int kEdgesKept = 2;       // per node, by kDarts, kThresholdSparse
constexpr int kCandidatesKept = 2;  // per edge, by kThresholdEdge

// The column of the first maximum of a row.
int BestCandidate(const EdgeMatrix& matrix, int row) {
  const auto begin = matrix.values.begin() + row * matrix.cols;
  return static_cast<int>(std::max_element(begin, begin + matrix.cols) - begin);
}

float Score(const EdgeMatrix& matrix, int row) {
  return matrix.At(row, BestCandidate(matrix, row));
}

// The edges of the two best edges of each node.
std::vector<GenotypeEdge> BestEdges(const EdgeMatrix& matrix,
                                    bool with_threshold, float threshold) {
  std::vector<GenotypeEdge> edges;
  for (int to = kCellInputs; to < kCellInputs + kS1Nodes; ++to) {
    std::vector<int> sources(to);
    std::iota(sources.begin(), sources.end(), 0);
    // Stable: of equal scores the lower source stays in front.
    std::stable_sort(sources.begin(), sources.end(), [&](int a, int b) {
      return Score(matrix, EdgeRow(to, a)) > Score(matrix, EdgeRow(to, b));
    });
    sources.resize(kEdgesKept);
    for (const int from : sources) {
      const int row = EdgeRow(to, from);
      if (with_threshold && Score(matrix, row) < threshold) continue;
      edges.push_back({kS1Candidates[BestCandidate(matrix, row)], to, from});
    }
  }
  return edges;
}

std::vector<GenotypeEdge> BestCandidates(const EdgeMatrix& matrix,
                                         float threshold) {
  std::vector<GenotypeEdge> edges;
  const std::vector<CellEdge> layout = EdgeLayout(kS1Nodes);
  for (int row = 0; row < matrix.rows; ++row) {
    std::vector<int> columns(kCandidates);
    std::iota(columns.begin(), columns.end(), 0);
    // Ascending and stable: of equal weights the higher column comes last,
    // where the best are.
    std::stable_sort(columns.begin(), columns.end(), [&](int a, int b) {
      return matrix.At(row, a) < matrix.At(row, b);
    });
    for (int i = kCandidates - kCandidatesKept; i < kCandidates; ++i) {
      if (matrix.At(row, columns[i]) < threshold) continue;
      edges.push_back(
          {kS1Candidates[columns[i]], layout[row].to, layout[row].from});
    }
  }
  return edges;
}

GenotypeCell DiscretizeCell(const EdgeMatrix& matrix, DiscretizationRule rule,
                            float threshold) {
  GenotypeCell cell;
  switch (rule) {
    case DiscretizationRule::kDarts:
      cell.edges = BestEdges(matrix, /*with_threshold=*/false, threshold);
      break;
    case DiscretizationRule::kThresholdSparse:
      cell.edges = BestEdges(matrix, /*with_threshold=*/true, threshold);
      break;
    case DiscretizationRule::kThresholdEdge:
      cell.edges = BestCandidates(matrix, threshold);
      break;
  }
  cell.concat.resize(kS1Nodes);
  std::iota(cell.concat.begin(), cell.concat.end(), kCellInputs);
  return cell;
}

absl::Status Reweight(const EdgeMatrix& matrix, GenotypeCell& cell) {
  for (GenotypeEdge& edge : cell.edges) {
    const auto* const candidate =
        std::find(kS1Candidates.begin(), kS1Candidates.end(), edge.op);
    if (candidate == kS1Candidates.end() || edge.to >= kCellInputs + kS1Nodes) {
      return DataError(
          absl::StrCat(EdgeText(edge, GenotypeForm::kPairs),
                       ": has no weight; the weights are those of ", kS1Nodes,
                       " nodes and of ",
                       absl::StrJoin(kS1Candidates, ", ",
                                     [](std::string* out, Primitive op) {
                                       absl::StrAppend(out, PrimitiveName(op));
                                     })));
    }
    edge.weight =
        matrix.At(EdgeRow(edge.to, edge.from),
                  static_cast<int>(candidate - kS1Candidates.begin()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::string_view DiscretizationRuleName(DiscretizationRule rule) {
  switch (rule) {
    case DiscretizationRule::kDarts:
      return "darts";
    case DiscretizationRule::kThresholdSparse:
      return "threshold_sparse";
    case DiscretizationRule::kThresholdEdge:
      return "threshold_edge";
  }
  FD_CHECK(false) << "no such rule: " << static_cast<int>(rule);
  return "";
}

absl::StatusOr<DiscretizationRule> ParseDiscretizationRule(
    absl::string_view name) {
  for (const DiscretizationRule rule : kAllDiscretizationRules) {
    if (name == DiscretizationRuleName(rule)) return rule;
  }
  return UsageError(absl::StrCat(
      "unknown discretisation rule \"", name, "\"; the rules are ",
      absl::StrJoin(kAllDiscretizationRules, ", ",
                    [](std::string* out, DiscretizationRule rule) {
                      absl::StrAppend(out, DiscretizationRuleName(rule));
                    })));
}

absl::Status CheckEdgeMatrix(const EdgeMatrix& matrix, absl::string_view name) {
  const int edges = EdgeCount(kS1Nodes);
  if (matrix.rows != edges || matrix.cols != kCandidates) {
    return DataError(absl::StrCat(name, ": the matrix is ", matrix.rows, "x",
                                  matrix.cols, "; it must be ", edges, "x",
                                  kCandidates, " (edges x candidates)"));
  }
  if (matrix.values.size() != static_cast<size_t>(edges * kCandidates)) {
    return DataError(absl::StrCat(name, ": the matrix holds ",
                                  matrix.values.size(), " values; ", edges, "x",
                                  kCandidates, " needs ", edges * kCandidates));
  }
  for (int row = 0; row < edges; ++row) {
    for (int col = 0; col < kCandidates; ++col) {
      if (std::isfinite(matrix.At(row, col))) continue;
      const CellEdge edge = EdgeLayout(kS1Nodes)[row];
      return DataError(
          absl::StrCat(name, ": row ", row, " (edge ", edge.from, " to ",
                       edge.to, "), ", PrimitiveName(kS1Candidates[col]), ": ",
                       matrix.At(row, col), " is not a finite number"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckThreshold(float threshold) {
  if (threshold > 0 && threshold < 1) return absl::OkStatus();
  return UsageError(absl::StrCat(
      "threshold ", threshold, ": it must lie between 0 and 1, both excluded"));
}

absl::StatusOr<Genotype> Discretize(const EdgeMatrix& normal,
                                    const EdgeMatrix& reduce,
                                    DiscretizationRule rule, float threshold) {
  FD_RETURN_IF_ERROR(CheckEdgeMatrix(normal, "normal cell"));
  FD_RETURN_IF_ERROR(CheckEdgeMatrix(reduce, "reduction cell"));
  FD_RETURN_IF_ERROR(CheckThreshold(threshold));
  Genotype genotype;
  genotype.form = rule == DiscretizationRule::kDarts ? GenotypeForm::kPairs
                                                     : GenotypeForm::kThreshold;
  genotype.normal = DiscretizeCell(normal, rule, threshold);
  genotype.reduce = DiscretizeCell(reduce, rule, threshold);
  return genotype;
}

absl::StatusOr<Genotype> Reweighted(const Genotype& genotype,
                                    const EdgeMatrix& normal,
                                    const EdgeMatrix& reduce) {
  FD_RETURN_IF_ERROR(CheckEdgeMatrix(normal, "normal cell"));
  FD_RETURN_IF_ERROR(CheckEdgeMatrix(reduce, "reduction cell"));
  FD_RETURN_IF_ERROR(genotype.Validate());
  if (genotype.form != GenotypeForm::kPairs) {
    return UsageError(absl::StrCat(
        "only a genotype of ", FormName(GenotypeForm::kPairs),
        " can be re-weighted, as the rule darts gives; this one has ",
        FormName(genotype.form)));
  }
  Genotype weighted = genotype;
  weighted.form = GenotypeForm::kWeighted;
  FD_RETURN_IF_ERROR(
      Annotate(Reweight(normal, weighted.normal), "normal cell"));
  FD_RETURN_IF_ERROR(
      Annotate(Reweight(reduce, weighted.reduce), "reduction cell"));
  return weighted;
}

}  // namespace fairdarts
