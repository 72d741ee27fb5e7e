#ifndef FAIRDARTS_DISCRETIZATION_H_
#define FAIRDARTS_DISCRETIZATION_H_

// From relaxed weights to a genotype: the end of a search.
//
// FairDARTS (arXiv 1911.12126) keeps a candidate when its sigmoid(alpha)
// reaches a threshold, at most two a node; DARTS (arXiv 1806.09055, section
// 2.4) keeps the two best edges of a node with one candidate each.

#include <array>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "genotypes/genotype.h"

namespace fairdarts {

// The relaxed weights of one cell, row-major: row r is edge r of
// EdgeLayout(kS1Nodes), column c is kS1Candidates[c].
struct EdgeMatrix {
  int rows = 0;
  int cols = 0;
  std::vector<float> values;

  float At(int row, int col) const { return values[row * cols + col]; }
};

// Below, the score of an edge is its largest weight.
enum class DiscretizationRule {
  // Per node the two edges of highest score, best first, ties to the lower
  // source; each with its largest candidate, ties to the lower column.
  kDarts,
  // The same edges and candidates; those below the threshold are dropped.
  kThresholdSparse,
  // Every edge in row order with its two largest candidates, the smaller
  // first, ties to the higher column; those below the threshold are dropped.
  kThresholdEdge,
};

inline constexpr std::array<DiscretizationRule, 3> kAllDiscretizationRules = {
    DiscretizationRule::kDarts,
    DiscretizationRule::kThresholdSparse,
    DiscretizationRule::kThresholdEdge,
};

// "darts", "threshold_sparse", "threshold_edge".
absl::string_view DiscretizationRuleName(DiscretizationRule rule);

// The rule of a name; an unknown one is a usage error that lists the names.
absl::StatusOr<DiscretizationRule> ParseDiscretizationRule(
    absl::string_view name);

// OK when `matrix` is 14x7 and finite; otherwise a data error that begins
// with `name` and says which edge and candidate is wrong.
absl::Status CheckEdgeMatrix(const EdgeMatrix& matrix, absl::string_view name);

// OK when 0 < threshold < 1; otherwise a usage error.
absl::Status CheckThreshold(float threshold);

// The genotype of both cells, of form kPairs for kDarts and kThreshold for
// the other rules. A weight equal to the threshold is kept; both are compared
// as floats. kDarts checks the threshold but does not use it. Early in a
// search no candidate may reach it: then a cell without edges is the answer.
absl::StatusOr<Genotype> Discretize(const EdgeMatrix& normal,
                                    const EdgeMatrix& reduce,
                                    DiscretizationRule rule, float threshold);

// The genotype of form kPairs again with the relaxed weight of each chosen
// candidate on its edge, of form kWeighted: the re-weighting experiments, whose
// networks scale an edge by what the search gave it. The weights are those of
// `normal` and `reduce`, exactly. A data error names an edge or an operation
// that the matrices do not have; another form is a usage error.
absl::StatusOr<Genotype> Reweighted(const Genotype& genotype,
                                    const EdgeMatrix& normal,
                                    const EdgeMatrix& reduce);

}  // namespace fairdarts

#endif  // FAIRDARTS_DISCRETIZATION_H_
