#include "fairdarts/random_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/decision.h"
#include "genotypes/catalog.h"
#include "genotypes/cost.h"
#include "genotypes/python_literal.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::vector<RandomGenotype> ListOf(const RandomSearchOptions& options) {
  const auto list = RandomGenotypes(options);
  EXPECT_THAT(list, IsOk());
  return list.value_or(std::vector<RandomGenotype>());
}

Genotype Drawn(uint64_t seed, int index, int64_t draw) {
  const RandomAlphas alphas = DrawAlphas(seed, index, draw);
  const auto genotype = Discretize(alphas.normal, alphas.reduce,
                                   DiscretizationRule::kDarts, 0.85f);
  EXPECT_THAT(genotype, IsOk());
  return genotype.value_or(Genotype());
}

TEST(RandomSearchTest, EachIsTheFirstOfItsDrawsThatFits) {
  RandomSearchOptions options;
  options.seed = 7;
  options.num_arch = 30;
  const std::vector<RandomGenotype> list = ListOf(options);
  ASSERT_EQ(list.size(), 30u);
  std::set<std::string> texts;
  for (int i = 0; i < options.num_arch; ++i) {
    const RandomGenotype& found = list[i];
    SCOPED_TRACE(absl::StrCat("genotype ", i));
    EXPECT_THAT(found.genotype.Validate(), IsOk());
    EXPECT_TRUE(found.genotype == Drawn(options.seed, i, found.draw));
    EXPECT_THAT(MatchesRandomSearch(found.genotype, options),
                IsOkAndHolds(true));
    EXPECT_EQ(found.skips, 2);
    EXPECT_EQ(CountSkips(found.genotype.normal), 2);
    const auto cost =
        ComputeNetworkCost(found.genotype, NetworkConfig::Cifar());
    ASSERT_THAT(cost, IsOk());
    EXPECT_EQ(found.cost.macs, cost->total.macs);
    EXPECT_EQ(found.cost.parameters, cost->total.parameters);
    EXPECT_GE(cost->total.macs, 500000000);
    for (int64_t draw = 0; draw < found.draw; ++draw) {
      EXPECT_THAT(MatchesRandomSearch(Drawn(options.seed, i, draw), options),
                  IsOkAndHolds(false));
    }
    texts.insert(ToPythonText(found.genotype));
  }
  EXPECT_EQ(texts.size(), list.size());
}

TEST(RandomSearchTest, EveryDrawIsWhatTheRuleMakesOfItsAlphas) {
  // Nothing is asked, so that draw 0 is taken each time.
  RandomSearchOptions options;
  options.num_arch = 2000;
  options.num_identity.reset();
  options.min_mega_macs = 0;
  const std::vector<RandomGenotype> list = ListOf(options);
  for (int i = 0; i < options.num_arch; ++i) {
    ASSERT_EQ(list[i].draw, 0);
    ASSERT_TRUE(list[i].genotype == Drawn(0, i, 0)) << i;
  }
}

TEST(RandomSearchTest, EveryDrawHasAlphasOfItsOwn) {
  const RandomAlphas first = DrawAlphas(1, 2, 4);
  EXPECT_NE(first.normal.values, first.reduce.values);
  for (const RandomAlphas& other :
       {DrawAlphas(2, 2, 4), DrawAlphas(1, 3, 4), DrawAlphas(1, 2, 5)}) {
    EXPECT_NE(other.normal.values, first.normal.values);
    EXPECT_NE(other.reduce.values, first.reduce.values);
  }
  // 1e-3 times normal: of 196 the root mean square is within a fifth of it, at
  // four standard deviations (1 / sqrt(2 * 196) each).
  double squares = 0;
  for (const EdgeMatrix* matrix : {&first.normal, &first.reduce}) {
    for (const float alpha : matrix->values) squares += double{alpha} * alpha;
  }
  EXPECT_NEAR(std::sqrt(squares / 196), 1e-3, 2e-4);
}

TEST(RandomSearchTest, EveryEdgeAndCandidateIsEquallyLikely) {
  RandomSearchOptions options;
  options.num_arch = 20000;
  options.num_identity.reset();
  options.min_mega_macs = 0;
  // Of the two edges of node 5 the first is any of five sources; a candidate
  // any of seven. Independent draws: deviations of a count are binomial.
  std::array<int, 5> sources = {};
  std::array<int, 7> normal = {};
  std::array<int, 7> reduce = {};
  const auto column = [](Primitive op) {
    return std::find(kS1Candidates.begin(), kS1Candidates.end(), op) -
           kS1Candidates.begin();
  };
  for (const RandomGenotype& found : ListOf(options)) {
    ++sources[found.genotype.normal.edges[6].from];
    ++normal[column(found.genotype.normal.edges[3].op)];
    ++reduce[column(found.genotype.reduce.edges[5].op)];
  }
  const auto expect_uniform = [&](const auto& counts) {
    const double n = options.num_arch;
    const double p = 1.0 / static_cast<double>(counts.size());
    // Five standard deviations: one count in two million is outside.
    const double bound = 5 * std::sqrt(n * p * (1 - p));
    for (const int count : counts) EXPECT_NEAR(count, n * p, bound);
  };
  expect_uniform(sources);
  expect_uniform(normal);
  expect_uniform(reduce);
}

TEST(RandomSearchTest, TheListDependsOnTheSeedAndNotOnItsLength) {
  RandomSearchOptions options;
  options.seed = 3;
  options.num_arch = 12;
  const std::vector<RandomGenotype> longer = ListOf(options);
  options.num_arch = 5;
  const std::vector<RandomGenotype> shorter = ListOf(options);
  ASSERT_EQ(shorter.size(), 5u);
  for (size_t i = 0; i < shorter.size(); ++i) {
    EXPECT_TRUE(shorter[i].genotype == longer[i].genotype);
  }
  options.seed = 4;
  EXPECT_FALSE(ListOf(options)[0].genotype == shorter[0].genotype);
}

TEST(RandomSearchTest, AnUpperBoundAndAnyNumberOfSkips) {
  RandomSearchOptions options;
  options.num_arch = 40;
  options.num_identity.reset();
  options.min_mega_macs = 370;
  options.max_mega_macs = 375;
  std::set<int> skips;
  for (const RandomGenotype& found : ListOf(options)) {
    EXPECT_GE(found.cost.macs, 370000000);
    EXPECT_LE(found.cost.macs, 375000000);
    skips.insert(found.skips);
  }
  EXPECT_GT(skips.size(), 1u);
}

TEST(RandomSearchTest, TheBoundsBelongToTheRange) {
  RandomSearchOptions options;
  options.num_arch = 1;
  const RandomGenotype found = ListOf(options)[0];
  const double mega = static_cast<double>(found.cost.macs) / 1e6;
  options.min_mega_macs = mega;
  options.max_mega_macs = mega;
  EXPECT_THAT(MatchesRandomSearch(found.genotype, options), IsOkAndHolds(true));
  options.min_mega_macs = mega + 1e-6;
  options.max_mega_macs = kInfinity;
  EXPECT_THAT(MatchesRandomSearch(found.genotype, options),
              IsOkAndHolds(false));
  options.min_mega_macs = 0;
  options.max_mega_macs = mega - 1e-6;
  EXPECT_THAT(MatchesRandomSearch(found.genotype, options),
              IsOkAndHolds(false));
  options.max_mega_macs = kInfinity;
  options.num_identity = 1;
  EXPECT_THAT(MatchesRandomSearch(found.genotype, options),
              IsOkAndHolds(false));
}

TEST(RandomSearchTest, ThePublishedOnesPassTheFilterThatNamesThem) {
  // DARTS_ID2_*: two skip connections; *_FPT_*: at least 500 MFLOPs too, which
  // the others were not asked for.
  int with_threshold = 0;
  int below_threshold = 0;
  for (const CatalogEntry& entry : Catalog()) {
    if (!absl::StartsWith(entry.name, "DARTS_ID2_")) continue;
    SCOPED_TRACE(entry.key());
    RandomSearchOptions options;
    ASSERT_EQ(options.num_identity, 2);
    ASSERT_EQ(options.min_mega_macs, 500);
    const auto past = MatchesRandomSearch(entry.genotype, options);
    ASSERT_THAT(past, IsOk());
    if (absl::StrContains(entry.name, "_FPT_")) {
      ++with_threshold;
      EXPECT_TRUE(*past);
    } else if (!*past) {
      ++below_threshold;
    }
    options.min_mega_macs = 0;
    EXPECT_THAT(MatchesRandomSearch(entry.genotype, options),
                IsOkAndHolds(true));
    options.num_identity = 3;
    EXPECT_THAT(MatchesRandomSearch(entry.genotype, options),
                IsOkAndHolds(false));
  }
  EXPECT_EQ(with_threshold, 7);
  // Of the other seven, DARTS_ID2_6 passes by chance.
  EXPECT_EQ(below_threshold, 6);
}

TEST(RandomSearchTest, OnlyPairGenotypesMatch) {
  RandomSearchOptions options;
  options.num_identity.reset();
  options.min_mega_macs = 0;
  const auto fair = FindInCatalog("FairDARTS_a");
  ASSERT_THAT(fair, IsOk());
  EXPECT_THAT(MatchesRandomSearch(fair->entry->genotype, options),
              IsOkAndHolds(false));
  EXPECT_THAT(MatchesRandomSearch(Genotype(), options),
              ExitCodeIs(ExitCode::kData));
}

TEST(RandomSearchTest, WhatIsNotThereIsSaidAfterABoundedSearch) {
  RandomSearchOptions options;
  options.max_draws = 20000;
  options.min_mega_macs = 2000;
  EXPECT_THAT(
      RandomGenotypes(options),
      StatusIs(absl::StatusCode::kInvalidArgument,
               "genotype 0: none of 20000 draws had exactly 2 skip connections "
               "in the normal cell and at least 2000 MFLOPs; "));
  EXPECT_THAT(RandomGenotypes(options),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       " of them had the skips, with "));
  options.num_identity = 8;
  EXPECT_THAT(RandomGenotypes(options),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "none of them had that many skips"));
  options.num_identity.reset();
  options.max_mega_macs = 2010;
  EXPECT_THAT(
      RandomGenotypes(options),
      StatusIs(absl::StatusCode::kInvalidArgument,
               "none of 20000 draws had 2000 to 2010 MFLOPs; they had "));
}

TEST(RandomSearchTest, RefusesWhatNothingCanMeet) {
  const auto refusal = [](auto change) {
    RandomSearchOptions options;
    change(options);
    const auto list = RandomGenotypes(options);
    EXPECT_THAT(list, ExitCodeIs(ExitCode::kUsage));
    EXPECT_EQ(MatchesRandomSearch(Genotype(), options).status(), list.status());
    return std::string(list.status().message());
  };
  using Options = RandomSearchOptions;
  for (const int bad : {0, -1, kMaxRandomGenotypes + 1}) {
    EXPECT_THAT(refusal([&](Options& o) { o.num_arch = bad; }),
                ::testing::StartsWith(absl::StrCat("num_arch ", bad)));
  }
  for (const int bad : {-1, 9}) {
    EXPECT_THAT(refusal([&](Options& o) { o.num_identity = bad; }),
                ::testing::StartsWith(absl::StrCat("num_identity ", bad)));
  }
  for (const double bad : {-1.0, kNan, kInfinity, -kInfinity}) {
    EXPECT_THAT(refusal([&](Options& o) { o.min_mega_macs = bad; }),
                ::testing::StartsWith("flops_threshold "));
  }
  for (const double bad : {499.0, kNan, -kInfinity}) {
    EXPECT_THAT(refusal([&](Options& o) { o.max_mega_macs = bad; }),
                ::testing::HasSubstr("not below the least, 500"));
  }
  EXPECT_THAT(refusal([](Options& o) { o.max_draws = 0; }),
              ::testing::StartsWith("max_draws 0"));
}

}  // namespace
}  // namespace fairdarts
