#include "genotypes/genotype.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

using ::testing::HasSubstr;

GenotypeEdge Edge(int to, int from, Primitive op = Primitive::kSepConv3x3) {
  return {op, to, from};
}

GenotypeCell PairCell() {
  return {{Edge(2, 0), Edge(2, 1), Edge(3, 2), Edge(3, 2)}, {2, 3}};
}

Genotype Pairs() { return {GenotypeForm::kPairs, PairCell(), PairCell()}; }

Genotype Threshold() {
  const GenotypeCell cell = {
      {Edge(2, 0), Edge(2, 0, Primitive::kMaxPool3x3), Edge(5, 3), Edge(4, 1)},
      {2, 3, 4, 5}};
  return {GenotypeForm::kThreshold, cell, cell};
}

Genotype Weighted() {
  Genotype genotype = Pairs();
  genotype.form = GenotypeForm::kWeighted;
  genotype.normal.edges[0].weight = 0.25;
  return genotype;
}

TEST(GenotypeTest, AcceptsEveryForm) {
  EXPECT_TRUE(Pairs().Validate().ok()) << Pairs().Validate();
  EXPECT_TRUE(Threshold().Validate().ok()) << Threshold().Validate();
  EXPECT_TRUE(Weighted().Validate().ok()) << Weighted().Validate();
}

TEST(GenotypeTest, AnEmptyThresholdCellIsAResult) {
  Genotype genotype = Threshold();
  genotype.normal.edges.clear();
  genotype.reduce = {};
  EXPECT_TRUE(genotype.Validate().ok()) << genotype.Validate();
}

TEST(GenotypeTest, AnyOrderOfConcatIsFine) {
  Genotype genotype = Pairs();
  genotype.normal.concat = {3, 0, 2};
  EXPECT_TRUE(genotype.Validate().ok()) << genotype.Validate();
}

struct Refusal {
  const char* rule;
  Genotype (*start)();
  void (*damage)(Genotype&);
  const char* message;
};

TEST(GenotypeTest, EveryRuleRefusesByName) {
  const Refusal refusals[] = {
      {"later state", Pairs, [](Genotype& g) { g.normal.edges[2].from = 3; },
       "normal: edge 2 (sep_conv_3x3, 3 <- 3): reads state 3, but node 3 can "
       "only read states 0 to 2"},
      {"negative state", Threshold,
       [](Genotype& g) { g.reduce.edges[0].from = -1; },
       "reduce: edge 0 (sep_conv_3x3, 2 <- -1): reads state -1, but node 2 "
       "can only read states 0 to 1"},
      {"feeds an input", Threshold,
       [](Genotype& g) { g.reduce.edges[0].to = 1; },
       "reduce: edge 0 (sep_conv_3x3, 1 <- 0): feeds state 1; the nodes of a "
       "cell are 2 to 33"},
      {"too many nodes", Threshold,
       [](Genotype& g) { g.normal.edges[0].to = 34; },
       "feeds state 34; the nodes of a cell are 2 to 33"},
      {"pairs in order", Pairs,
       [](Genotype& g) { std::swap(g.normal.edges[1], g.normal.edges[2]); },
       "normal: edge 1 (sep_conv_3x3, 3 <- 2): feeds node 3; in pairs (op, "
       "from) every node has two edges, in the order of the nodes, so this "
       "one belongs to node 2"},
      {"two edges a node", Weighted,
       [](Genotype& g) { g.reduce.edges.pop_back(); },
       "reduce: node 3 has one edge; in weighted pairs (op, from, weight) "
       "every node has two"},
      {"pairs without edges", Pairs, [](Genotype& g) { g.normal = {}; },
       "normal: has no edges; in pairs (op, from) every node has two"},
      {"infinite weight", Weighted,
       [](Genotype& g) {
         g.normal.edges[1].weight = std::numeric_limits<double>::infinity();
       },
       "normal: edge 1 (sep_conv_3x3, 2 <- 1, weight inf): its weight has to "
       "be a finite number"},
      {"NaN weight", Weighted,
       [](Genotype& g) { g.normal.edges[1].weight = std::nan(""); },
       "its weight has to be a finite number"},
      {"weight without weights", Threshold,
       [](Genotype& g) { g.normal.edges[1].weight = 0.5; },
       "normal: edge 1 (max_pool_3x3, 2 <- 0): has the weight 0.5, which "
       "threshold edges (op, to, from) do not have"},
      {"repeated edge", Threshold,
       [](Genotype& g) { g.reduce.edges.push_back(g.reduce.edges[1]); },
       "reduce: edge 4 (max_pool_3x3, 2 <- 0): is there twice"},
      {"unknown state in concat", Pairs,
       [](Genotype& g) {
         g.reduce.concat = {2, 4};
       },
       "reduce_concat: names state 4; the states of this cell are 0 to 3"},
      {"negative state in concat", Threshold,
       [](Genotype& g) { g.reduce.concat = {-2}; },
       "reduce_concat: names state -2; the states of this cell are 0 to 33"},
      {"huge state in concat", Threshold,
       [](Genotype& g) { g.reduce.concat = {34}; },
       "reduce_concat: names state 34"},
      {"repeated state in concat", Pairs,
       [](Genotype& g) {
         g.normal.concat = {3, 2, 3};
       },
       "normal_concat: names state 3 twice"},
  };
  for (const Refusal& refusal : refusals) {
    SCOPED_TRACE(refusal.rule);
    Genotype genotype = refusal.start();
    refusal.damage(genotype);
    const absl::Status status = genotype.Validate();
    EXPECT_EQ(ExitCodeOf(status), ExitCode::kData);
    EXPECT_THAT(std::string(status.message()), HasSubstr(refusal.message));
  }
}

TEST(GenotypeTest, EqualityLooksAtEverything) {
  const Genotype genotype = Weighted();
  EXPECT_EQ(genotype, Weighted());
  void (*const changes[])(Genotype&) = {
      [](Genotype& g) { g.form = GenotypeForm::kPairs; },
      [](Genotype& g) { g.normal.edges[0].weight = 0.5; },
      [](Genotype& g) { g.normal.edges[0].from = 1; },
      [](Genotype& g) { g.normal.edges[0].to = 3; },
      [](Genotype& g) { g.normal.edges[0].op = Primitive::kSkipConnect; },
      [](Genotype& g) { g.reduce.edges.pop_back(); },
      [](Genotype& g) {
        g.reduce.concat = {3, 2};
      },
  };
  for (const auto& change : changes) {
    Genotype other = Weighted();
    change(other);
    EXPECT_NE(genotype, other);
  }
}

}  // namespace
}  // namespace fairdarts
