#include "genotypes/cell_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Primitive kOp = Primitive::kSepConv3x3;

std::string BuildError(const Genotype& genotype) {
  const absl::Status status = CheckBuildable(genotype);
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kData);
  return std::string(status.message());
}

TEST(CellGraphTest, PairCellsOutputWhatConcatNames) {
  const GenotypeCell cell = {
      {{kOp, 2, 0}, {kOp, 2, 1}, {kOp, 3, 2}, {kOp, 3, 0}}, {3, 1}};
  const CellGraph graph = MakeCellGraph(cell, GenotypeForm::kPairs);
  EXPECT_EQ(graph.states(), 4);
  EXPECT_THAT(graph.exists, ElementsAre(true, true, true, true));
  EXPECT_THAT(graph.live, ElementsAre(true, true, true, true));
  EXPECT_THAT(graph.output, ElementsAre(3, 1));
}

TEST(CellGraphTest, AMissingNodeTakesItsEdgesAndFollowersWithIt) {
  // 3 is fed by nothing; 4 only by 3; 5 by 4 and by an input.
  const GenotypeCell cell = {
      {{kOp, 4, 3}, {kOp, 5, 4}, {kOp, 5, 0}, {kOp, 2, 1}}, {2, 3, 4, 5, 6}};
  const CellGraph graph = MakeCellGraph(cell, GenotypeForm::kThreshold);
  EXPECT_THAT(graph.exists,
              ElementsAre(true, true, true, false, false, true, false));
  EXPECT_THAT(graph.live, ElementsAre(false, false, true, true));
  // In the order in which live edges first feed them.
  EXPECT_THAT(graph.output, ElementsAre(5, 2));
}

TEST(CellGraphTest, TheOrderOfTheEdgesDoesNotDecideWhatExists) {
  const GenotypeCell cell = {{{kOp, 4, 2}, {kOp, 2, 0}}, {}};
  const CellGraph graph = MakeCellGraph(cell, GenotypeForm::kThreshold);
  EXPECT_THAT(graph.live, ElementsAre(true, true));
  EXPECT_THAT(graph.output, ElementsAre(4, 2));
}

TEST(CellGraphTest, AnEmptyCellHasInputsOnly) {
  const CellGraph graph = MakeCellGraph({}, GenotypeForm::kThreshold);
  EXPECT_EQ(graph.states(), 2);
  EXPECT_THAT(graph.output, IsEmpty());
}

TEST(CheckBuildableTest, RefusesCellsWithoutOutputByName) {
  const GenotypeCell good = {{{kOp, 2, 0}}, {2, 3, 4, 5}};
  const GenotypeCell dead = {{{kOp, 4, 3}}, {2, 3, 4, 5}};
  const GenotypeCell empty = {{}, {2, 3, 4, 5}};
  constexpr GenotypeForm kForm = GenotypeForm::kThreshold;
  EXPECT_TRUE(CheckBuildable({kForm, good, good}).ok());
  EXPECT_THAT(BuildError({kForm, empty, good}),
              HasSubstr("normal: the cell is empty, so no network"));
  EXPECT_THAT(BuildError({kForm, good, empty}),
              HasSubstr("reduce: the cell is empty, so no network"));
  EXPECT_THAT(BuildError({kForm, good, dead}),
              HasSubstr("reduce: every edge reads a missing node"));
}

TEST(CheckBuildableTest, RefusesPairCellsWhoseOutputCannotBeJoined) {
  const GenotypeCell good = {{{kOp, 2, 0}, {kOp, 2, 1}}, {2}};
  GenotypeCell nothing = good;
  nothing.concat.clear();
  GenotypeCell input = good;
  input.concat = {2, 1};
  constexpr GenotypeForm kForm = GenotypeForm::kPairs;
  EXPECT_TRUE(CheckBuildable({kForm, input, good}).ok());
  EXPECT_THAT(BuildError({kForm, nothing, good}),
              HasSubstr("normal: its concat names no state"));
  EXPECT_THAT(BuildError({kForm, good, input}),
              HasSubstr("reduce_concat: names the input 1"));
}

TEST(CheckBuildableTest, RefusesWhatIsNotValid) {
  const GenotypeCell bad = {{{kOp, 2, 2}}, {}};
  EXPECT_THAT(BuildError({GenotypeForm::kThreshold, bad, bad}),
              HasSubstr("reads state 2"));
}

}  // namespace
}  // namespace fairdarts
