#include "training/history.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "fairdarts/base/file.h"
#include "genotypes/edge_layout.h"
#include "genotypes/primitive.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "training/history_plot.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr size_t kCandidates = 98;

// Weights that tell cell, candidate and epoch apart.
RelaxedWeights Weights(int epoch) {
  RelaxedWeights weights;
  for (size_t i = 0; i < kCandidates; ++i) {
    weights.normal.push_back(0.5f + 0.001f * i * epoch);
    weights.reduce.push_back(0.5f - 0.001f * i * epoch);
  }
  return weights;
}

History TwoEpochs() {
  History history;
  history.Append(Weights(0));
  history.Append(Weights(1));
  return history;
}

TEST(HistoryTest, CsvHasARowForEachCandidateAndEpoch) {
  const std::vector<std::string> lines =
      absl::StrSplit(TwoEpochs().Csv(), '\n');
  ASSERT_EQ(lines.size(), 1 + 2 * 2 * kCandidates + 1);
  EXPECT_EQ(lines[0], "epoch,cell,node,from,op,weight");
  EXPECT_EQ(lines[1], "0,normal,0,0,max_pool_3x3,0.5");
  // Row 2 of the matrix is the first edge of the second node.
  EXPECT_EQ(lines[1 + 2 * kCandidates + 2 * 7 + 3],
            "1,normal,1,0,sep_conv_3x3,0.517");
  EXPECT_EQ(lines[4 * kCandidates], "1,reduce,3,4,dil_conv_5x5,0.403");
  EXPECT_EQ(lines.back(), "");
}

TEST(HistoryTest, JsonIsUpstreams) {
  const std::string text = TwoEpochs().NormalJson();
  EXPECT_THAT(text, testing::StartsWith(
                        "{\"edge: (0, 0), op: max_pool_3x3\": [0.5, 0.5], "
                        "\"edge: (0, 0), op: avg_pool_3x3\": [0.5, 0.501], "));
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json.size(), kCandidates);
  size_t i = 0;
  for (const CellEdge& edge : EdgeLayout(kS1Nodes)) {
    for (const Primitive primitive : kS1Candidates) {
      const std::string key =
          absl::StrCat("edge: (", edge.to - 2, ", ", edge.from,
                       "), op: ", PrimitiveName(primitive));
      ASSERT_TRUE(json.contains(key)) << key;
      // Text and back is the same float.
      EXPECT_THAT(json[key].get<std::vector<float>>(),
                  ElementsAre(0.5f, Weights(1).normal[i]))
          << key;
      ++i;
    }
  }
  const auto reduce = nlohmann::json::parse(TwoEpochs().ReduceJson());
  EXPECT_THAT(
      reduce["edge: (3, 4), op: dil_conv_5x5"].get<std::vector<float>>(),
      ElementsAre(0.5f, Weights(1).reduce[97]));
}

TEST(HistoryTest, PlotHasALineForEachCandidateOfBothCells) {
  const std::string svg = HistorySvg(TwoEpochs().epochs(), 0.85);
  const std::vector<std::string> pieces = absl::StrSplit(svg, "<polyline ");
  EXPECT_EQ(pieces.size(), 1 + 2 * kCandidates);
  for (const Primitive primitive : kS1Candidates) {
    EXPECT_THAT(svg, HasSubstr(std::string(PrimitiveName(primitive))));
  }
  EXPECT_THAT(svg, HasSubstr("threshold 0.85"));
  EXPECT_THAT(svg, testing::EndsWith("</svg>\n"));
}

TEST(HistoryTest, PlotOfNoAndOfOneEpoch) {
  EXPECT_EQ(HistorySvg({}, 0.85).find("nan"), std::string::npos);
  const std::string svg = HistorySvg({Weights(0)}, 0.85);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
}

TEST(HistoryTest, WritesFourFiles) {
  std::string pattern = testing::TempDir() + "/history_XXXXXX";
  const RunFolder folder =
      *RunFolder::Create(mkdtemp(pattern.data()), "run", absl::UnixEpoch());
  const History history = TwoEpochs();
  ASSERT_TRUE(history.WriteTo(folder, 0.85).ok());
  EXPECT_EQ(ReadFile(folder.File("history.csv")).value(), history.Csv());
  EXPECT_EQ(ReadFile(folder.File("history.svg")).value(),
            HistorySvg(history.epochs(), 0.85));
  EXPECT_EQ(ReadFile(folder.File("normal/history_weight.json")).value(),
            history.NormalJson());
  EXPECT_EQ(ReadFile(folder.File("reduce/history_weight.json")).value(),
            history.ReduceJson());
}

TEST(HistoryDeathTest, OtherShapesAreOurOwnBug) {
  History history;
  EXPECT_DEATH(history.Append({std::vector<float>(98), {}}), "98");
}

}  // namespace
}  // namespace fairdarts
