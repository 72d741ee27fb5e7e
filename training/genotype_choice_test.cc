#include "training/genotype_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "genotypes/cost.h"
#include "genotypes/genotype.h"
#include "genotypes/primitive.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::HasSubstr;

// max_pool_3x3 everywhere, but sep_conv_3x3 on the first `convolutions` edges.
EdgeMatrix Matrix(int convolutions) {
  EdgeMatrix matrix{14, 7, std::vector<float>(14 * 7, 0.125f)};
  for (int row = 0; row < 14; ++row) {
    matrix.values[row * 7 + (row < convolutions ? 3 : 0)] = 0.75f;
  }
  return matrix;
}

TEST(GenotypeChoiceTest, ABudgetInMillionsIsExactToTheUnit) {
  GenotypeChoiceOptions options;
  options.rule = DiscretizationRule::kDarts;
  int truncation_would_miss = 0;
  for (int convolutions = 1; convolutions <= 14; ++convolutions) {
    SCOPED_TRACE(convolutions);
    const EdgeMatrix normal = Matrix(convolutions);
    options.flops_budget = 0;
    options.size_budget = 0;
    const auto free = ChooseGenotype(normal, Matrix(2), options);
    ASSERT_THAT(free, IsOk());
    EXPECT_EQ(free->note, "");
    const auto cost =
        ComputeNetworkCost(free->genotype, NetworkConfig::Cifar());
    ASSERT_THAT(cost, IsOk());
    options.flops_budget = static_cast<double>(cost->total.macs) / 1e6;
    options.size_budget = static_cast<double>(cost->total.parameters) / 1e6;
    for (const auto& [millions, units] :
         {std::pair(options.flops_budget, cost->total.macs),
          std::pair(options.size_budget, cost->total.parameters)}) {
      if (static_cast<int64_t>(millions * 1e6) < units) ++truncation_would_miss;
    }
    const auto kept = ChooseGenotype(normal, Matrix(2), options);
    ASSERT_THAT(kept, IsOk());
    EXPECT_TRUE(kept->genotype == free->genotype);
    EXPECT_THAT(kept->note, HasSubstr("the rule's own"));
    options.size_budget -= 1e-6;
    const auto smaller = ChooseGenotype(normal, Matrix(2), options);
    ASSERT_THAT(smaller, IsOk());
    EXPECT_FALSE(smaller->genotype == free->genotype);
    EXPECT_THAT(smaller->note, HasSubstr("the best that keeps it"));
    options.size_budget = 0;
    options.flops_budget -= 1e-6;
    EXPECT_FALSE(ChooseGenotype(normal, Matrix(2), options)->genotype ==
                 free->genotype);
  }
  EXPECT_GT(truncation_would_miss, 0);
}

TEST(GenotypeChoiceTest, WeightsComeAfterTheBudget) {
  GenotypeChoiceOptions options;
  options.rule = DiscretizationRule::kDarts;
  options.flops_budget = 250;
  options.reweight = true;
  const EdgeMatrix matrix = Matrix(14);
  const auto choice = ChooseGenotype(matrix, matrix, options);
  ASSERT_THAT(choice, IsOk());
  EXPECT_EQ(choice->genotype.form, GenotypeForm::kWeighted);
  int given_up = 0;
  for (const GenotypeEdge& edge : choice->genotype.normal.edges) {
    EXPECT_EQ(edge.weight, edge.op == Primitive::kSepConv3x3 ? 0.75 : 0.125);
    if (edge.op != Primitive::kSepConv3x3) ++given_up;
  }
  EXPECT_GT(given_up, 0);
}

TEST(GenotypeChoiceTest, RefusesWhatDoesNotGoTogetherOrIsOutOfRange) {
  const auto refusal = [](auto change) {
    GenotypeChoiceOptions options;
    change(options);
    EXPECT_THAT(CheckGenotypeChoice(options), ExitCodeIs(ExitCode::kUsage));
    const auto choice = ChooseGenotype(Matrix(1), Matrix(1), options);
    EXPECT_EQ(choice.status(), CheckGenotypeChoice(options));
    return std::string(choice.status().message());
  };
  using Options = GenotypeChoiceOptions;
  for (const double bad :
       {-1.0, 1.1e12, std::numeric_limits<double>::infinity(),
        std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THAT(refusal([&](Options& o) { o.flops_budget = bad; }),
                HasSubstr(absl::StrCat("flops_budget ", bad)));
    EXPECT_THAT(refusal([&](Options& o) { o.size_budget = bad; }),
                HasSubstr(absl::StrCat("size_budget ", bad)));
  }
  EXPECT_THAT(refusal([](Options& o) { o.threshold = 1; }),
              HasSubstr("threshold 1"));
  for (const DiscretizationRule rule : {DiscretizationRule::kThresholdSparse,
                                        DiscretizationRule::kThresholdEdge}) {
    EXPECT_THAT(refusal([&](Options& o) {
                  o.rule = rule;
                  o.reweight = true;
                }),
                HasSubstr("reweight: only the genotypes of the rule darts"));
  }
}

}  // namespace
}  // namespace fairdarts
