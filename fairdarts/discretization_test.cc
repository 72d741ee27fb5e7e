#include "fairdarts/discretization.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fairdarts/base/status.h"
#include "genotypes/primitive.h"
#include "tests/golden/golden_data.h"

namespace fairdarts {
namespace {

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
