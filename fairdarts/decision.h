#ifndef FAIRDARTS_DECISION_H_
#define FAIRDARTS_DECISION_H_

// How far a search has decided: the counts that it reports.
//
// The zero-one loss (zero_one_loss.h) is there to push every sigmoid towards
// 0 or 1, so that dropping candidates changes the network little; these
// counts show whether it did.

#include <vector>

#include "absl/status/statusor.h"
#include "fairdarts/discretization.h"
#include "genotypes/genotype.h"

namespace fairdarts {

// A weight strictly between these is undecided.
inline constexpr float kUndecidedAbove = 0.15f;
inline constexpr float kUndecidedBelow = 0.85f;

// Both cells together unless a name says otherwise. "Chosen" are the
// candidates that the `darts` rule takes: two edges a node, one each.
struct Decision {
  int weights = 0;         // of both matrices
  int past_threshold = 0;  // weights >= threshold
  int undecided = 0;       // in (kUndecidedAbove, kUndecidedBelow)
  int chosen = 0;
  int chosen_past_threshold = 0;
  int chosen_skips_normal = 0;  // skip_connect among the chosen
  int chosen_skips_reduce = 0;
  // Whether each node keeps an edge whose candidate is past the threshold.
  bool every_node_fed = false;
};

// Fails as Discretize does.
absl::StatusOr<Decision> Decide(const EdgeMatrix& normal,
                                const EdgeMatrix& reduce, float threshold);

// The number of skip connections among the edges of a cell.
int CountSkips(const GenotypeCell& cell);

// The nodes (2 to 5) of an S1 cell that no edge feeds, ascending.
std::vector<int> NodesWithoutInput(const GenotypeCell& cell);

}  // namespace fairdarts

#endif  // FAIRDARTS_DECISION_H_
