#ifndef FAIRDARTS_COLLAPSE_H_
#define FAIRDARTS_COLLAPSE_H_

// The collapse of a search by DARTS: skip connections crowd out everything
// else. What announces it, and the two rules that end a search before it.

#include <string>
#include <vector>

#include "absl/types/optional.h"
#include "fairdarts/discretization.h"

namespace fairdarts {

// From this many skip connections on a normal cell counts as collapsed (DARTS+,
// arXiv 1909.06035).
inline constexpr int kCollapsedSkips = 2;

// The eigenvalue's rule looks at means over this many epochs and takes a rise
// by this factor for a collapse (RobustDARTS, arXiv 1909.09656).
inline constexpr int kEigenvalueWindow = 5;
inline constexpr double kEigenvalueRise = 1.3;

// What one epoch ended with.
struct EpochSigns {
  int normal_skips = 0;  // in the normal cell of the genotype of now
  // Of the validation loss's Hessian in the alphas, where it was measured.
  absl::optional<double> eigenvalue;
};

// Each rule looks at the epochs so far, from epoch 0 on, and says after which
// of them the search should have ended, where the last one shows that it should
// have; the search goes back there.
//
// Skip connections: the last epoch has kCollapsedSkips or more. The epoch
// before it is taken, or this one where it is the first.
absl::optional<int> SkipStop(const std::vector<EpochSigns>& epochs);

// With m(i) the mean over the kEigenvalueWindow epochs up to i:
// m(i) > kEigenvalueRise * m(i - kEigenvalueWindow) > 0. The epoch i -
// kEigenvalueWindow is taken. Epochs without a value stop nothing.
absl::optional<int> EigenvalueStop(const std::vector<EpochSigns>& epochs);

// How many epochs a rule goes back at most.
inline constexpr int kMostEpochsBack = kEigenvalueWindow;

// One line for each sign of collapse that the last epoch shows and the one
// before it did not: "warning: skip collapse: ..." and "warning: eigenvalue
// rise: ...".
std::vector<std::string> CollapseWarnings(
    const std::vector<EpochSigns>& epochs);

// The standard deviation of the weights of a cell: 0 where nothing is
// distinguished, 0.5 at most, where half of them are 0 and half 1.
double WeightSpread(const EdgeMatrix& weights);

}  // namespace fairdarts

#endif  // FAIRDARTS_COLLAPSE_H_
