#ifndef GENOTYPES_GENOTYPE_H_
#define GENOTYPES_GENOTYPE_H_

// A genotype: the two cells that a search found.

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "genotypes/primitive.h"

namespace fairdarts {

// The most nodes that a cell may have: far above any published one, and low
// enough that a hostile genotype stays small.
inline constexpr int kMaxCellNodes = 32;

// How the edges of a genotype were chosen, which decides what they mean.
enum class GenotypeForm {
  // (op, from), upstream's `darts` rule: the edges of node i (from 2 on) are
  // the two at 2 * (i - 2); states named by concat make the output.
  kPairs,
  // (op, to, from), upstream's `threshold` rules: any number of operations an
  // edge, nodes may be missing; concat is ignored by networks.
  kThreshold,
  // (op, from, weight): pairs whose edges are scaled by a constant.
  kWeighted,
};

struct GenotypeEdge {
  Primitive op;
  int to;             // node that the edge feeds, from 2 on (also for pairs)
  int from;           // earlier state that it reads
  double weight = 1;  // only ever other than 1 for kWeighted
};

struct GenotypeCell {
  std::vector<GenotypeEdge> edges;  // in the order of the published text
  std::vector<int> concat;
};

struct Genotype {
  GenotypeForm form = GenotypeForm::kPairs;
  GenotypeCell normal;
  GenotypeCell reduce;

  // Whether the genotype means something: every edge reads an earlier state,
  // a cell has at most kMaxCellNodes nodes, pair forms give each node from 2
  // on exactly two edges in node order, weights are finite and other than 1
  // only for kWeighted, concat names existing states, none twice, and no
  // (op, to, from) is repeated in a threshold cell. The data error names the
  // cell, the edge and the rule. A threshold cell without edges is valid: it
  // is what such a rule gives early in a search; and since nodes may be
  // missing there, its concat may name any state up to the last possible one.
  absl::Status Validate() const;
};

// "pairs (op, from)" and so on, for messages.
absl::string_view FormName(GenotypeForm form);

// An edge for messages: "(sep_conv_3x3, 2 <- 0)", with the weight where the
// form has one.
std::string EdgeText(const GenotypeEdge& edge, GenotypeForm form);

bool operator==(const GenotypeEdge& a, const GenotypeEdge& b);
bool operator==(const GenotypeCell& a, const GenotypeCell& b);
bool operator==(const Genotype& a, const Genotype& b);
inline bool operator!=(const Genotype& a, const Genotype& b) {
  return !(a == b);
}

}  // namespace fairdarts

#endif  // GENOTYPES_GENOTYPE_H_
