#include "fairdarts/discretization.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fairdarts/base/status.h"
#include "genotypes/edge_layout.h"
#include "genotypes/primitive.h"
#include "genotypes/python_literal.h"
#include "tests/golden/golden_data.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

EdgeMatrix Constant(float value) {
  return {14, 7, std::vector<float>(14 * 7, value)};
}

EdgeMatrix FromJson(const nlohmann::json& rows) {
  EdgeMatrix matrix{
      static_cast<int>(rows.size()), static_cast<int>(rows[0].size()), {}};
  for (const auto& row : rows) {
    for (const auto& value : row) {
      matrix.values.push_back(value.get<float>());
    }
  }
  return matrix;
}

// A cell in the spelling of the golden file: (op, from) for pairs, else
// (op, to, from).
nlohmann::json ToJson(const GenotypeCell& cell, GenotypeForm form) {
  nlohmann::json edges = nlohmann::json::array();
  for (const GenotypeEdge& edge : cell.edges) {
    nlohmann::json tuple = nlohmann::json::array();
    tuple.push_back(std::string(PrimitiveName(edge.op)));
    if (form == GenotypeForm::kThreshold) tuple.push_back(edge.to);
    tuple.push_back(edge.from);
    edges.push_back(tuple);
  }
  return edges;
}

TEST(DiscretizationTest, EveryGoldenCaseHolds) {
  const nlohmann::json golden = ReadGoldenJson("discretize.json");
  ASSERT_EQ(golden["primitives"].size(), kS1Candidates.size());
  for (size_t i = 0; i < kS1Candidates.size(); ++i) {
    EXPECT_EQ(golden["primitives"][i],
              std::string(PrimitiveName(kS1Candidates[i])));
  }
  ASSERT_EQ(golden["cases"].size(), 295u);
  int index = 0;
  for (const auto& c : golden["cases"]) {
    SCOPED_TRACE(testing::Message() << "case " << index++ << " " << c["method"]
                                    << " " << c["threshold"]);
    const auto rule = ParseDiscretizationRule(c["method"].get<std::string>());
    ASSERT_TRUE(rule.ok()) << rule.status();
    const float threshold =
        c["threshold"].is_null() ? 0.85f : c["threshold"].get<float>();
    const auto genotype =
        Discretize(FromJson(c["normal_weight"]), FromJson(c["reduce_weight"]),
                   *rule, threshold);
    ASSERT_TRUE(genotype.ok()) << genotype.status();
    EXPECT_EQ(genotype->form, *rule == DiscretizationRule::kDarts
                                  ? GenotypeForm::kPairs
                                  : GenotypeForm::kThreshold);
    EXPECT_TRUE(genotype->Validate().ok()) << genotype->Validate();
    EXPECT_EQ(ToJson(genotype->normal, genotype->form), c["normal"]);
    EXPECT_EQ(ToJson(genotype->reduce, genotype->form), c["reduce"]);
    EXPECT_EQ(genotype->normal.concat, (std::vector<int>{2, 3, 4, 5}));
    EXPECT_EQ(genotype->reduce.concat, (std::vector<int>{2, 3, 4, 5}));
  }
}

TEST(DiscretizationTest, AtTheStartOfASearchThresholdCellsAreEmpty) {
  for (const DiscretizationRule rule : kAllDiscretizationRules) {
    const auto genotype = Discretize(Constant(0.5f), Constant(0.5f), rule,
                                     /*threshold=*/0.85f);
    ASSERT_TRUE(genotype.ok()) << genotype.status();
    const size_t edges = rule == DiscretizationRule::kDarts ? 8 : 0;
    EXPECT_EQ(genotype->normal.edges.size(), edges);
    EXPECT_EQ(genotype->reduce.edges.size(), edges);
  }
}

TEST(DiscretizationTest, AWeightAtTheThresholdIsKept) {
  // 0.9 is not a binary fraction: as a float it is below 0.9 as a double, so
  // the comparison has to be between floats.
  const auto genotype =
      Discretize(Constant(0.9f), Constant(0.5f),
                 DiscretizationRule::kThresholdSparse, /*threshold=*/0.9f);
  ASSERT_TRUE(genotype.ok()) << genotype.status();
  EXPECT_EQ(genotype->normal.edges.size(), 8u);
  EXPECT_TRUE(genotype->reduce.edges.empty());
}

TEST(DiscretizationTest, RefusesAWrongShape) {
  const EdgeMatrix good = Constant(0.5f);
  const EdgeMatrix transposed{7, 14, good.values};
  EdgeMatrix truncated = good;
  truncated.values.pop_back();
  for (const EdgeMatrix& bad : {transposed, truncated, EdgeMatrix{}}) {
    auto status =
        Discretize(bad, good, DiscretizationRule::kDarts, 0.85f).status();
    EXPECT_EQ(ExitCodeOf(status), ExitCode::kData);
    EXPECT_THAT(std::string(status.message()), HasSubstr("normal cell"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("14x7"));
    status = Discretize(good, bad, DiscretizationRule::kDarts, 0.85f).status();
    EXPECT_THAT(std::string(status.message()), HasSubstr("reduction cell"));
  }
}

TEST(DiscretizationTest, RefusesWhatIsNotANumber) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    EdgeMatrix matrix = Constant(0.5f);
    matrix.values[3 * 7 + 2] = bad;
    const auto status = Discretize(Constant(0.5f), matrix,
                                   DiscretizationRule::kThresholdEdge, 0.85f)
                            .status();
    EXPECT_EQ(ExitCodeOf(status), ExitCode::kData);
    EXPECT_THAT(
        std::string(status.message()),
        HasSubstr("reduction cell: row 3 (edge 1 to 3), skip_connect: "));
  }
}

TEST(DiscretizationTest, RefusesAThresholdOutsideZeroToOne) {
  for (const float bad :
       {0.0f, 1.0f, -0.5f, 85.0f, std::numeric_limits<float>::quiet_NaN()}) {
    for (const DiscretizationRule rule : kAllDiscretizationRules) {
      const auto status =
          Discretize(Constant(0.5f), Constant(0.5f), rule, bad).status();
      EXPECT_EQ(ExitCodeOf(status), ExitCode::kUsage) << bad;
      EXPECT_THAT(std::string(status.message()), HasSubstr("threshold"));
    }
  }
}

// Every weight differs from every other, and none is a short decimal.
EdgeMatrix Distinct(int first) {
  EdgeMatrix matrix = Constant(0);
  for (int i = 0; i < 14 * 7; ++i) {
    matrix.values[i] = static_cast<float>((first + i * 37 % 98) / 211.0);
  }
  return matrix;
}

TEST(ReweightedTest, EdgesCarryTheWeightsThatChoseThem) {
  EdgeMatrix normal = Constant(0.1f);
  const auto set = [&](int row, int col, float weight) {
    normal.values[row * 7 + col] = weight;
  };
  set(EdgeRow(2, 0), 2, 0.2386f);
  set(EdgeRow(2, 1), 3, 0.234f);
  set(EdgeRow(3, 2), 5, 0.3028f);
  set(EdgeRow(3, 0), 3, 0.2745f);
  set(EdgeRow(4, 3), 5, 0.3016f);
  set(EdgeRow(4, 0), 2, 0.2737f);
  set(EdgeRow(5, 4), 6, 0.3499f);
  set(EdgeRow(5, 3), 5, 0.2212f);
  const EdgeMatrix reduce = Constant(0.125f);
  const auto pairs =
      Discretize(normal, reduce, DiscretizationRule::kDarts, 0.85f);
  ASSERT_THAT(pairs, IsOk());
  const auto weighted = Reweighted(*pairs, normal, reduce);
  ASSERT_THAT(weighted, IsOk());
  EXPECT_THAT(weighted->Validate(), IsOk());
  EXPECT_EQ(weighted->form, GenotypeForm::kWeighted);
  EXPECT_THAT(weighted->normal.edges,
              ElementsAre(GenotypeEdge{Primitive::kSkipConnect, 2, 0, 0.2386f},
                          GenotypeEdge{Primitive::kSepConv3x3, 2, 1, 0.234f},
                          GenotypeEdge{Primitive::kDilConv3x3, 3, 2, 0.3028f},
                          GenotypeEdge{Primitive::kSepConv3x3, 3, 0, 0.2745f},
                          GenotypeEdge{Primitive::kDilConv3x3, 4, 3, 0.3016f},
                          GenotypeEdge{Primitive::kSkipConnect, 4, 0, 0.2737f},
                          GenotypeEdge{Primitive::kDilConv5x5, 5, 4, 0.3499f},
                          GenotypeEdge{Primitive::kDilConv3x3, 5, 3, 0.2212f}));
  EXPECT_EQ(weighted->normal.concat, pairs->normal.concat);
  for (const GenotypeEdge& edge : weighted->reduce.edges) {
    EXPECT_EQ(edge.op, Primitive::kMaxPool3x3);
    EXPECT_EQ(edge.weight, 0.125);
  }
}

TEST(ReweightedTest, TextTakesTheWeightsThereAndBack) {
  const EdgeMatrix normal = Distinct(1);
  const EdgeMatrix reduce = Distinct(5);
  const auto pairs =
      Discretize(normal, reduce, DiscretizationRule::kDarts, 0.85f);
  ASSERT_THAT(pairs, IsOk());
  const auto weighted = Reweighted(*pairs, normal, reduce);
  ASSERT_THAT(weighted, IsOk());
  const auto read = ParsePythonGenotype(ToPythonText(*weighted));
  ASSERT_THAT(read, IsOk());
  EXPECT_TRUE(*read == *weighted) << ToPythonText(*weighted);
}

TEST(ReweightedTest, RefusesWhatHasNoWeights) {
  const EdgeMatrix matrix = Constant(0.9f);
  const auto threshold =
      Discretize(matrix, matrix, DiscretizationRule::kThresholdSparse, 0.85f);
  ASSERT_THAT(threshold, IsOk());
  EXPECT_THAT(Reweighted(*threshold, matrix, matrix),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "only a genotype of pairs (op, from) can be"));
  auto pairs = Discretize(matrix, matrix, DiscretizationRule::kDarts, 0.85f);
  ASSERT_THAT(pairs, IsOk());
  EXPECT_THAT(Reweighted(*pairs, matrix, {7, 14, matrix.values}),
              ExitCodeIs(ExitCode::kData));
  EXPECT_THAT(Reweighted(*pairs, {7, 14, matrix.values}, matrix),
              ExitCodeIs(ExitCode::kData));
  pairs->reduce.edges[3].op = Primitive::kSepConv7x7;
  EXPECT_THAT(Reweighted(*pairs, matrix, matrix),
              StatusIs(absl::StatusCode::kDataLoss,
                       "reduction cell: (sep_conv_7x7, 3 <- 1): has no"));
  pairs->reduce.edges[3] = pairs->reduce.edges[2];
  pairs->normal.edges.push_back({Primitive::kMaxPool3x3, 6, 0});
  pairs->normal.edges.push_back({Primitive::kMaxPool3x3, 6, 1});
  EXPECT_THAT(Reweighted(*pairs, matrix, matrix),
              StatusIs(absl::StatusCode::kDataLoss, "normal cell: "));
  pairs->normal.edges.pop_back();
  EXPECT_THAT(Reweighted(*pairs, matrix, matrix), ExitCodeIs(ExitCode::kData));
}

TEST(DiscretizationTest, NamesGoBothWaysAndAnUnknownOneIsRefused) {
  for (const DiscretizationRule rule : kAllDiscretizationRules) {
    const auto parsed = ParseDiscretizationRule(DiscretizationRuleName(rule));
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(*parsed, rule);
  }
  const auto status = ParseDiscretizationRule("threshold").status();
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kUsage);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("\"threshold\"; the rules are darts, "
                        "threshold_sparse, threshold_edge"));
}

}  // namespace
}  // namespace fairdarts
