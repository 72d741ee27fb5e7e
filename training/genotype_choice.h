#ifndef TRAINING_GENOTYPE_CHOICE_H_
#define TRAINING_GENOTYPE_CHOICE_H_

// The genotype of relaxed weights as a configuration asks for it: by a rule,
// under a budget, with or without the weights. Free of LibTorch.

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "fairdarts/discretization.h"
#include "genotypes/genotype.h"

namespace fairdarts {

struct GenotypeChoiceOptions {
  DiscretizationRule rule = DiscretizationRule::kThresholdSparse;
  float threshold = 0.85f;

  // Of the CIFAR network with C=36 and 20 layers, in millions; 0: no bound.
  double flops_budget = 0;  // multiply-accumulates
  double size_budget = 0;   // parameters, without the auxiliary head's

  bool reweight = false;  // edges carry their relaxed weights; only kDarts
};

// OK when the options go together and are in range; otherwise a usage error
// that names the option.
absl::Status CheckGenotypeChoice(const GenotypeChoiceOptions& options);

struct GenotypeChoice {
  Genotype genotype;
  std::string note;  // what the budget did, a line; empty without one
};

// Errors are those of CheckGenotypeChoice(), Discretize() and
// DiscretizeUnderBudget().
absl::StatusOr<GenotypeChoice> ChooseGenotype(
    const EdgeMatrix& normal, const EdgeMatrix& reduce,
    const GenotypeChoiceOptions& options);

}  // namespace fairdarts

#endif  // TRAINING_GENOTYPE_CHOICE_H_
