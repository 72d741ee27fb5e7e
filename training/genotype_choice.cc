#include "training/genotype_choice.h"

#include <cmath>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "fairdarts/base/status.h"
#include "fairdarts/budgeted_discretization.h"
#include "genotypes/cost.h"

namespace fairdarts {
namespace {

constexpr double kMega = 1e6;
// 1e12 times a million is as far as int64_t goes.
constexpr double kMostMega = 1e12;

absl::Status CheckBudget(absl::string_view name, double millions) {
  // Also false where it is not a number.
  if (millions >= 0 && millions <= kMostMega) return absl::OkStatus();
  return UsageError(absl::StrCat(name, " ", millions,
                                 ": it has to be millions from 0 (no bound) to "
                                 "1e12"));
}

// Rounded: 3.3 millions are 3300000, though the double 3.3 is less.
absl::optional<int64_t> BoundOf(double millions) {
  if (millions == 0) return absl::nullopt;
  return std::llround(millions * kMega);
}

// "flops_budget 400", for errors.
std::string BudgetNames(const GenotypeChoiceOptions& options) {
  std::string names;
  if (options.flops_budget > 0) {
    absl::StrAppend(&names, "flops_budget ", options.flops_budget);
  }
  if (options.size_budget > 0) {
    absl::StrAppend(&names, names.empty() ? "" : ", ", "size_budget ",
                    options.size_budget);
  }
  return names;
}

}  // namespace

absl::Status CheckGenotypeChoice(const GenotypeChoiceOptions& options) {
  FD_RETURN_IF_ERROR(CheckThreshold(options.threshold));
  FD_RETURN_IF_ERROR(CheckBudget("flops_budget", options.flops_budget));
  FD_RETURN_IF_ERROR(CheckBudget("size_budget", options.size_budget));
  if (options.reweight && options.rule != DiscretizationRule::kDarts) {
    return UsageError(absl::StrCat(
        "reweight: only the genotypes of the rule darts carry weights, not "
        "those of ",
        DiscretizationRuleName(options.rule)));
  }
  return absl::OkStatus();
}

absl::StatusOr<GenotypeChoice> ChooseGenotype(
    const EdgeMatrix& normal, const EdgeMatrix& reduce,
    const GenotypeChoiceOptions& options) {
  FD_RETURN_IF_ERROR(CheckGenotypeChoice(options));
  GenotypeChoice choice;
  const Budget budget{BoundOf(options.flops_budget),
                      BoundOf(options.size_budget)};
  if (budget.macs.has_value() || budget.parameters.has_value()) {
    const absl::StatusOr<BudgetedGenotype> found =
        DiscretizeUnderBudget(normal, reduce, options.rule, options.threshold,
                              budget, NetworkConfig::Cifar());
    if (!found.ok()) return Annotate(found.status(), BudgetNames(options));
    const BudgetedGenotype& budgeted = *found;
    choice.genotype = budgeted.genotype;
    choice.note = absl::StrFormat(
        "budget: kept with %.3f M multiply-adds and %.3f M parameters (CIFAR, "
        "36 channels, 20 cells); the genotype is %s",
        static_cast<double>(budgeted.cost.macs) / kMega,
        static_cast<double>(budgeted.cost.parameters) / kMega,
        budgeted.reduced
            ? absl::StrFormat("the best that keeps it, of weights that sum to "
                              "%.4f",
                              budgeted.weight)
            : "the rule's own");
  } else {
    FD_ASSIGN_OR_RETURN(
        choice.genotype,
        Discretize(normal, reduce, options.rule, options.threshold));
  }
  if (options.reweight) {
    FD_ASSIGN_OR_RETURN(choice.genotype,
                        Reweighted(choice.genotype, normal, reduce));
  }
  return choice;
}

}  // namespace fairdarts
