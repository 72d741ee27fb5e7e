#include "training/studies/study_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "genotypes/catalog.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

StudyPlan Plan() {
  StudyPlan plan;
  plan.name = "trial";
  plan.description = "a | b";
  plan.variants.resize(2);
  plan.variants[0].name = "fair";
  plan.variants[0].description = "sigmoid";
  plan.variants[1].name = "chance";
  plan.tested = 1;
  return plan;
}

const Genotype& Published(absl::string_view name) {
  return FindInCatalog(name)->entry->genotype;
}

// A trained row of a search.
RunRow Searched(uint64_t seed, double valid_top1, int near_half,
                int64_t macs = 2000000) {
  RunRow row;
  row.variant = "fair";
  row.seed = seed;
  row.genotype = Published("FairDARTS_b");
  row.search.emplace();
  row.search->near_half = near_half;
  row.search->decision.undecided = 2 * near_half;
  row.search->top1 = 0.5;
  row.search->seconds = 10 + 0.1 * seed;
  row.cost.emplace();
  row.cost->macs = macs;
  row.cost->parameters = 1000;
  row.training.emplace();
  row.training->valid_top1 = valid_top1;
  row.training->seconds = 7;
  return row;
}

RunRow Chance(uint64_t seed, double valid_top1) {
  RunRow row = Searched(seed, valid_top1, 0);
  row.variant = "chance";
  row.genotype = Published("DARTS_V2");
  row.search.reset();
  return row;
}

RunRow WithoutNetwork(uint64_t seed) {
  RunRow row = Searched(seed, 0, 100);
  row.state = RunState::kNoNetwork;
  row.genotype = Genotype();
  row.genotype->form = GenotypeForm::kThreshold;
  row.cost.reset();
  row.training.reset();
  return row;
}

std::vector<std::string> Lines(const std::string& text) {
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

// The cell of a csv line under a name; no name here holds a comma.
std::string Cell(const std::string& csv, size_t line, absl::string_view name) {
  const std::vector<std::string> lines = Lines(csv);
  const std::vector<std::string> names = absl::StrSplit(lines[0], ',');
  const std::vector<std::string> cells = absl::StrSplit(lines[line], ',');
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return cells[i];
  }
  ADD_FAILURE() << "no column " << name;
  return "";
}

TEST(SpreadTest, IsTheSamplesOwn) {
  // Squares of the distances from 5: 9 + 1 + 1 + 1 + 0 + 0 + 4 + 16 = 32.
  const Spread eight = SpreadOf({2, 4, 4, 4, 5, 5, 7, 9});
  EXPECT_EQ(eight.n, 8);
  EXPECT_EQ(eight.mean, 5);
  EXPECT_DOUBLE_EQ(eight.deviation, std::sqrt(32.0 / 7));
  const Spread three = SpreadOf({1, 2, 3});
  EXPECT_EQ(three.mean, 2);
  EXPECT_EQ(three.deviation, 1);
  EXPECT_EQ(SpreadOf({0.25, 0.25, 0.25}).deviation, 0);
  EXPECT_EQ(SpreadOf({4}).n, 1);
  EXPECT_EQ(SpreadOf({4}).mean, 4);
  EXPECT_EQ(SpreadOf({}).n, 0);
}

TEST(StudyTablesTest, ALineARun) {
  const std::string csv =
      RunsCsv({Searched(1, 0.75, 12), WithoutNetwork(2), Chance(1, 0.5)});
  const std::vector<std::string> lines = Lines(csv);
  ASSERT_EQ(lines.size(), 4);
  EXPECT_THAT(lines[0], StartsWith("variant,seed,state,normal_skips,"));
  EXPECT_THAT(lines[1], StartsWith("fair,1,trained,"));
  EXPECT_THAT(lines[2], StartsWith("fair,2,no network,"));
  EXPECT_THAT(lines[3], StartsWith("chance,1,trained,"));
  EXPECT_EQ(Cell(csv, 1, "near_half"), "12");
  EXPECT_EQ(Cell(csv, 1, "undecided"), "24");
  EXPECT_EQ(Cell(csv, 1, "macs"), "2000000");
  EXPECT_EQ(Cell(csv, 1, "parameters"), "1000");
  EXPECT_EQ(Cell(csv, 1, "valid_top1"), "0.75");
  EXPECT_EQ(Cell(csv, 1, "search_top1"), "0.5");
  EXPECT_EQ(Cell(csv, 2, "near_half"), "100");
  EXPECT_EQ(Cell(csv, 2, "edges"), "0");
  EXPECT_EQ(Cell(csv, 2, "macs"), "");
  EXPECT_EQ(Cell(csv, 2, "valid_top1"), "");
  EXPECT_EQ(Cell(csv, 3, "near_half"), "");
  // Skips of the published cells.
  EXPECT_EQ(Cell(csv, 3, "normal_skips"), "2");
  EXPECT_EQ(Cell(csv, 3, "reduce_skips"), "3");
  EXPECT_EQ(Cell(csv, 3, "edges"), "16");
  EXPECT_THAT(lines[3], HasSubstr(",\"Genotype(normal=[('sep_conv_3x3', 0)"));
}

TEST(StudyTablesTest, MeanAndDeviationOfAVariant) {
  const std::vector<RunRow> rows = {
      Searched(1, 0.70, 10), Searched(2, 0.80, 20), Searched(3, 0.90, 30),
      WithoutNetwork(4), Chance(1, 0.5)};
  const std::string csv = VariantsCsv(Plan(), rows);
  EXPECT_EQ(Cell(csv, 1, "variant"), "fair");
  EXPECT_EQ(Cell(csv, 1, "runs"), "4");
  EXPECT_EQ(Cell(csv, 1, "networks"), "3");
  EXPECT_EQ(Cell(csv, 1, "valid_top1_n"), "3");
  EXPECT_EQ(Cell(csv, 1, "valid_top1_mean"), "0.8");
  EXPECT_EQ(Cell(csv, 1, "valid_top1_sd"), "0.1");
  // 10, 20, 30 and 100: mean 40, deviation sqrt(5000 / 3).
  EXPECT_EQ(Cell(csv, 1, "near_half_n"), "4");
  EXPECT_EQ(Cell(csv, 1, "near_half_mean"), "40");
  EXPECT_EQ(Cell(csv, 1, "near_half_sd"), "40.82482905");
  EXPECT_EQ(Cell(csv, 2, "variant"), "chance");
  EXPECT_EQ(Cell(csv, 2, "runs"), "1");
  EXPECT_EQ(Cell(csv, 2, "valid_top1_mean"), "0.5");
  EXPECT_EQ(Cell(csv, 2, "valid_top1_sd"), "");
  EXPECT_EQ(Cell(csv, 2, "near_half_n"), "0");
  EXPECT_EQ(Cell(csv, 2, "near_half_mean"), "");

  const std::string markdown = VariantsMarkdown(Plan(), rows);
  EXPECT_THAT(markdown, HasSubstr("| fair | 4 | 3 |"));
  EXPECT_THAT(markdown, HasSubstr("| 80.00 ± 10.00 (n = 3) |"));
  EXPECT_THAT(markdown, HasSubstr("| 40.0 ± 40.8 |"));
  EXPECT_THAT(markdown, HasSubstr("| chance | 1 | 1 |"));
  EXPECT_THAT(markdown, HasSubstr("| 50.00 |"));
  EXPECT_THAT(markdown, HasSubstr("a \\| b"));
  EXPECT_THAT(markdown, HasSubstr("- `fair`: sigmoid\n"));
  // All lines of the table have as many cells.
  size_t bars = 0;
  for (const std::string& line : Lines(markdown)) {
    if (!absl::StartsWith(line, "|")) continue;
    const size_t count = std::count(line.begin(), line.end(), '|');
    if (bars == 0) bars = count;
    EXPECT_EQ(count, bars) << line;
  }
}

TEST(StudyTablesTest, AnUnfinishedStudyHasItsTablesToo) {
  EXPECT_EQ(Lines(RunsCsv({})).size(), 1);
  EXPECT_EQ(Cell(VariantsCsv(Plan(), {}), 1, "runs"), "0");
  EXPECT_THAT(Ranked({}), IsEmpty());
}

TEST(StudyTablesTest, RanksByTheHeldOutImages) {
  std::vector<RunRow> rows = {Searched(1, 0.70, 1),
                              Searched(2, 0.90, 1, 3000000),
                              Searched(3, 0.90, 1, 2500000),
                              WithoutNetwork(4),
                              Chance(1, 0.80),
                              Chance(2, 0.60)};
  EXPECT_THAT(Ranked(rows),
              ElementsAre(&rows[2], &rows[1], &rows[4], &rows[0], &rows[5]));
  EXPECT_THAT(Chosen(rows, 1), ElementsAre(&rows[2], &rows[4]));
  EXPECT_THAT(Chosen(rows, 2),
              ElementsAre(&rows[2], &rows[1], &rows[4], &rows[5]));

  rows[2].test = TestOutcome{1000, 871};
  const std::string csv = RankedCsv(rows);
  ASSERT_EQ(Lines(csv).size(), 6);
  EXPECT_THAT(Lines(csv)[1], StartsWith("1,fair,3,0.9,"));
  EXPECT_EQ(Cell(csv, 1, "test_top1"), "0.871");
  EXPECT_EQ(Cell(csv, 1, "macs"), "2500000");
  EXPECT_EQ(Cell(csv, 2, "test_top1"), "");
  const std::string markdown = RankedMarkdown(Plan(), rows);
  EXPECT_THAT(markdown, HasSubstr("| 1 | fair | 3 | 90.00 | 87.10 |"));
  EXPECT_THAT(markdown, HasSubstr("| 2 | fair | 2 | 90.00 |  |"));
  EXPECT_THAT(markdown, HasSubstr("\n1. `Genotype(normal=["));
}

TEST(StudyTablesTest, TheClockStandsApart) {
  const std::vector<RunRow> rows = {Searched(1, 0.7, 1), Chance(1, 0.5)};
  EXPECT_EQ(StudyTimingCsv(rows),
            "variant,seed,search_seconds,train_seconds\n"
            "fair,1,10.1,7.0\n"
            "chance,1,,7.0\n");
  std::vector<RunRow> slower = rows;
  slower[0].search->seconds = 99;
  slower[0].training->seconds = 99;
  EXPECT_EQ(RunsCsv(slower), RunsCsv(rows));
  EXPECT_EQ(VariantsCsv(Plan(), slower), VariantsCsv(Plan(), rows));
  EXPECT_EQ(VariantsMarkdown(Plan(), slower), VariantsMarkdown(Plan(), rows));
  EXPECT_EQ(RankedMarkdown(Plan(), slower), RankedMarkdown(Plan(), rows));
}

}  // namespace
}  // namespace fairdarts
