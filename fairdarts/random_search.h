#ifndef FAIRDARTS_RANDOM_SEARCH_H_
#define FAIRDARTS_RANDOM_SEARCH_H_

// Random genotypes with a given number of skip connections and a given size:
// the experiment that asks what a search adds to choosing by these two alone.
//
// A draw is a matrix of alphas for each cell, 1e-3 times normal as at the
// start of DARTS, and the rule `darts` on them. So the two edges of a node are
// any two in any order, and their candidates any, all equally likely; a softmax
// over the candidates first would not change that. Draws are repeated until
// one fits.
//
// FLOPs are the multiply-accumulates of convolutions and classifier
// (genotypes/cost.h), of the CIFAR network with C=36 and 20 layers unless the
// options name another. Upstream compares the count of the package thop, which
// is never lower: whatever is at least so large here is there too.

#include <cstdint>
#include <limits>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "fairdarts/discretization.h"
#include "fairdarts/edge_cost.h"
#include "genotypes/cost.h"
#include "genotypes/genotype.h"

namespace fairdarts {

inline constexpr int kMaxRandomGenotypes = 1000000;

struct RandomSearchOptions {
  uint64_t seed = 0;
  int num_arch = 8;  // 1 to kMaxRandomGenotypes

  // Skip connections among the eight edges of the normal cell, 0 to 8; any
  // number without it.
  absl::optional<int> num_identity = 2;
  // The least and the most millions of multiply-accumulates.
  double min_mega_macs = 500;
  double max_mega_macs = std::numeric_limits<double>::infinity();

  // Whose multiply-accumulates and parameters count.
  NetworkConfig network = NetworkConfig::Cifar();

  // Draws for one genotype until the request counts as impossible.
  int64_t max_draws = 1000000;
};

// OK when the options can be met at all; otherwise a usage error that names
// the option, its value and what it may be.
absl::Status CheckRandomSearch(const RandomSearchOptions& options);

struct RandomGenotype {
  Genotype genotype;  // of form kPairs
  int skips;          // in the normal cell
  EdgeCost cost;
  int64_t draw;  // that gave it, from 0
};

// Genotype i of the list is the first of its own draws that fits: a function
// of the options and i, not of num_arch. Where none of max_draws fits, the
// usage error says what was reached.
absl::StatusOr<std::vector<RandomGenotype>> RandomGenotypes(
    const RandomSearchOptions& options);

// The first of the list; none where none of its draws fits.
absl::StatusOr<absl::optional<RandomGenotype>> FindRandomGenotype(
    const RandomSearchOptions& options);

// Whether a pair genotype could be one of the list: its skips and its FLOPs
// are as the options ask. A data error where no network can be built of it.
absl::StatusOr<bool> MatchesRandomSearch(const Genotype& genotype,
                                         const RandomSearchOptions& options);

// The alphas of a draw of genotype `index`, for whoever wants to see them:
// Discretize() by kDarts makes the draw's genotype of them.
struct RandomAlphas {
  EdgeMatrix normal;
  EdgeMatrix reduce;
};
RandomAlphas DrawAlphas(uint64_t seed, int index, int64_t draw);

}  // namespace fairdarts

#endif  // FAIRDARTS_RANDOM_SEARCH_H_
