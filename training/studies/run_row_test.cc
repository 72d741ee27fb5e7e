#include "training/studies/run_row.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "fairdarts/base/status.h"
#include "fairdarts/discretization.h"
#include "genotypes/proto_io.h"
#include "tests/status_matchers.h"
#include "training/data/npy.h"
#include "training/run_folder.h"
#include "training/search_files.h"
#include "training/timing.h"
#include "training/train_files.h"

namespace fairdarts {
namespace {

using ::testing::HasSubstr;

RunFolder Fresh() {
  return *RunFolder::Create(::testing::TempDir(), "run", absl::Now());
}

NpyMatrix Filled(float value) {
  NpyMatrix matrix;
  matrix.rows = 14;
  matrix.columns = 7;
  matrix.values.assign(14 * 7, value);
  return matrix;
}

// What a search has left: all weights small but for those set here.
RunFolder SearchFolder() {
  const RunFolder folder = Fresh();
  NpyMatrix normal = Filled(0.1f);
  NpyMatrix reduce = Filled(0.1f);
  // Per node edges 0 and 1 by ties; skips (column 2) lead two normal edges.
  normal.values[0 * 7 + 2] = 0.9f;
  normal.values[1 * 7 + 2] = 0.59f;  // near 0.5, undecided
  normal.values[2 * 7 + 3] = 0.95f;
  reduce.values[0 * 7 + 3] = 0.41f;  // near 0.5, undecided
  reduce.values[1 * 7 + 3] = 0.39f;  // undecided only
  EdgeMatrix n{14, 7, normal.values}, r{14, 7, reduce.values};
  const absl::StatusOr<Genotype> genotype =
      Discretize(n, r, DiscretizationRule::kThresholdSparse, 0.85f);
  EXPECT_THAT(genotype, IsOk());
  EXPECT_THAT(folder.Write("genotype.textproto",
                           SerializeGenotype(*genotype, GenotypeFormat::kText)),
              IsOk());
  EXPECT_THAT(folder.Write("normal_weight.npy", SerializeNpy(normal)), IsOk());
  EXPECT_THAT(folder.Write("reduce_weight.npy", SerializeNpy(reduce)), IsOk());
  EXPECT_THAT(folder.Write(kSearchMetrics,
                           "epoch,valid_loss,valid_top1\n0,,\n1,1.5,0.625\n"),
              IsOk());
  EXPECT_THAT(folder.Write(kTimingFile,
                           absl::StrCat(TimingHeader(), TimingRow(0, 1.5, 9),
                                        TimingRow(1, 2.25, 9))),
              IsOk());
  return folder;
}

RunFolder TrainFolder() {
  const RunFolder folder = Fresh();
  EXPECT_THAT(folder.Write(kTrainResult,
                           "{\"epochs\": 3, \"train_top1\": 0.9,\n"
                           "\"best_valid_top1\": 0.8125, \"best_epoch\": 2}"),
              IsOk());
  EXPECT_THAT(folder.Write(kTimingFile,
                           absl::StrCat(TimingHeader(), TimingRow(0, 4, 9))),
              IsOk());
  return folder;
}

TEST(RunRowTest, ReadsWhatASearchHasLeft) {
  const auto outcome = ReadSearchOutcome(SearchFolder(), 0.85f);
  ASSERT_THAT(outcome, IsOk());
  EXPECT_EQ(outcome->genotype.normal.edges.size(), 2);
  EXPECT_TRUE(outcome->genotype.reduce.edges.empty());
  EXPECT_EQ(outcome->decision.past_threshold, 2);
  EXPECT_EQ(outcome->decision.undecided, 3);
  EXPECT_EQ(outcome->near_half, 2);
  EXPECT_EQ(outcome->top1, 0.625);
  EXPECT_FALSE(outcome->returned_to.has_value());
  EXPECT_EQ(outcome->seconds, 3.75);
}

// Not the last row of metrics.csv, which an early stop may have given up.
TEST(RunRowTest, ReadsTheStateThatASearchTook) {
  const RunFolder folder = SearchFolder();
  ASSERT_THAT(folder.Write(kSearchResult,
                           "{\"epochs\": 10, \"returned_to\": null,\n"
                           "\"valid_loss\": 0.51, \"valid_top1\": 0.8143}"),
              IsOk());
  auto outcome = ReadSearchOutcome(folder, 0.85f);
  ASSERT_THAT(outcome, IsOk());
  EXPECT_EQ(outcome->top1, 0.8143);
  EXPECT_FALSE(outcome->returned_to.has_value());

  ASSERT_THAT(folder.Write(kSearchResult,
                           "{\"epochs\": 7, \"returned_to\": 4,\n"
                           "\"valid_loss\": 0.6, \"valid_top1\": 0.75}"),
              IsOk());
  outcome = ReadSearchOutcome(folder, 0.85f);
  ASSERT_THAT(outcome, IsOk());
  EXPECT_EQ(outcome->top1, 0.75);
  EXPECT_EQ(outcome->returned_to, 4);
}

TEST(RunRowTest, ASearchNeedNotBeEvaluated) {
  const RunFolder folder = SearchFolder();
  ASSERT_THAT(folder.Write(kSearchMetrics, "epoch,valid_top1\n0,\n"), IsOk());
  const auto outcome = ReadSearchOutcome(folder, 0.85f);
  ASSERT_THAT(outcome, IsOk());
  EXPECT_FALSE(outcome->top1.has_value());
}

TEST(RunRowTest, ReadsWhatATrainingHasLeft) {
  const auto outcome = ReadTrainOutcome(TrainFolder());
  ASSERT_THAT(outcome, IsOk());
  EXPECT_EQ(outcome->valid_top1, 0.8125);
  EXPECT_EQ(outcome->best_epoch, 2);
  EXPECT_EQ(outcome->seconds, 4);
}

TEST(RunRowTest, TheTestIsRecordedOnce) {
  const RunFolder folder = Fresh();
  const auto none = ReadTestOutcome(folder);
  ASSERT_THAT(none, IsOk());
  EXPECT_FALSE(none->has_value());
  ASSERT_THAT(WriteTestOutcome({10000, 8712}, folder), IsOk());
  const auto test = ReadTestOutcome(folder);
  ASSERT_THAT(test, IsOk());
  EXPECT_EQ((*test)->images, 10000);
  EXPECT_EQ((*test)->correct, 8712);
  EXPECT_EQ((*test)->top1(), 0.8712);
}

TEST(RunRowTest, RefusesADamagedSearch) {
  const std::vector<std::pair<std::string, std::string>> faults = {
      {"genotype.textproto", "normal {"},
      {"normal_weight.npy", "no matrix"},
      {"reduce_weight.npy", SerializeNpy({2, 7, std::vector<float>(14, 0.5f)})},
      {kSearchMetrics, "epoch,top1\n0,0.5\n"},
      {kSearchMetrics, "epoch,valid_top1\n0,nan\n"},
      {kSearchMetrics, "epoch,valid_top1\n0\n"},
      {kTimingFile, "epoch,seconds\n0,soon\n"}};
  for (const auto& [name, contents] : faults) {
    const RunFolder folder = SearchFolder();
    ASSERT_THAT(folder.Write(name, contents), IsOk());
    const absl::Status status = ReadSearchOutcome(folder, 0.85f).status();
    EXPECT_THAT(status, ExitCodeIs(ExitCode::kData)) << contents;
    EXPECT_THAT(std::string(status.message()), HasSubstr(name)) << contents;
    ASSERT_THAT(folder.Remove(name), IsOk());
    EXPECT_THAT(ReadSearchOutcome(folder, 0.85f), ExitCodeIs(ExitCode::kData));
  }
}

TEST(RunRowTest, RefusesADamagedTraining) {
  for (const char* const contents :
       {"", "[]", "{", "{\"best_epoch\": 2}",
        "{\"best_valid_top1\": 1.5, \"best_epoch\": 2}",
        "{\"best_valid_top1\": \"high\", \"best_epoch\": 2}",
        "{\"best_valid_top1\": 0.5}",
        "{\"best_valid_top1\": 0.5, \"best_epoch\": 0}"}) {
    const RunFolder folder = TrainFolder();
    ASSERT_THAT(folder.Write(kTrainResult, contents), IsOk());
    const absl::Status status = ReadTrainOutcome(folder).status();
    EXPECT_THAT(status, ExitCodeIs(ExitCode::kData)) << contents;
    EXPECT_THAT(std::string(status.message()), HasSubstr(kTrainResult));
  }
}

TEST(RunRowTest, RefusesADamagedSearchResult) {
  for (const char* const contents :
       {"", "[]", "{\"epochs\": 7",
        "{\"returned_to\": null, \"valid_top1\": 0.5}",
        "{\"epochs\": 0, \"returned_to\": null, \"valid_top1\": 0.5}",
        "{\"epochs\": 7.5, \"returned_to\": null, \"valid_top1\": 0.5}",
        "{\"epochs\": 4294967297, \"returned_to\": 0, \"valid_top1\": 0.5}",
        "{\"epochs\": 7, \"valid_top1\": 0.5}",
        "{\"epochs\": 7, \"returned_to\": 7, \"valid_top1\": 0.5}",
        "{\"epochs\": 7, \"returned_to\": -1, \"valid_top1\": 0.5}",
        "{\"epochs\": 7, \"returned_to\": 4.5, \"valid_top1\": 0.5}",
        "{\"epochs\": 7, \"returned_to\": null}",
        "{\"epochs\": 7, \"returned_to\": null, \"valid_top1\": null}",
        "{\"epochs\": 7, \"returned_to\": null, \"valid_top1\": 1.5}"}) {
    const RunFolder folder = SearchFolder();
    ASSERT_THAT(folder.Write(kSearchResult, contents), IsOk());
    const absl::Status status = ReadSearchOutcome(folder, 0.85f).status();
    EXPECT_THAT(status, ExitCodeIs(ExitCode::kData)) << contents;
    EXPECT_THAT(std::string(status.message()), HasSubstr(kSearchResult));
  }
}

TEST(RunRowTest, RefusesADamagedTest) {
  for (const char* const contents :
       {"", "{}", "{\"images\": 0, \"correct\": 0}",
        "{\"images\": 10, \"correct\": 11}", "{\"images\": 10}"}) {
    const RunFolder folder = Fresh();
    ASSERT_THAT(folder.Write("test.json", contents), IsOk());
    const absl::Status status = ReadTestOutcome(folder).status();
    EXPECT_THAT(status, ExitCodeIs(ExitCode::kData)) << contents;
    EXPECT_THAT(std::string(status.message()), HasSubstr("test.json"));
  }
}

}  // namespace
}  // namespace fairdarts
