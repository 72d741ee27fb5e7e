#include "training/studies/alphas_plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/types/optional.h"
#include "fairdarts/base/status.h"
#include "genotypes/edge_layout.h"
#include "genotypes/primitive.h"
#include "tests/status_matchers.h"
#include "training/data/npy.h"
#include "training/history.h"
#include "training/run_folder.h"

namespace fairdarts {
namespace {

using ::testing::HasSubstr;

RelaxedWeights Filled(float normal, float reduce) {
  const size_t size = EdgeCount(kS1Nodes) * kS1Candidates.size();
  return {std::vector<float>(size, normal), std::vector<float>(size, reduce)};
}

std::string Npy(float value) {
  return SerializeNpy({14, 7, std::vector<float>(14 * 7, value)});
}

// What a search of two epochs has left.
RunFolder SearchFolder() {
  const RunFolder folder =
      *RunFolder::Create(::testing::TempDir(), "run", absl::Now());
  History history;
  history.Append(Filled(0.5f, 0.5f));
  history.Append(Filled(0.3f, 0.7f));
  EXPECT_THAT(folder.Write("history.csv", history.Csv()), IsOk());
  EXPECT_THAT(folder.Write("normal_weight.npy", Npy(0.1f)), IsOk());
  EXPECT_THAT(folder.Write("reduce_weight.npy", Npy(0.9f)), IsOk());
  return folder;
}

size_t Count(absl::string_view text, absl::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != absl::string_view::npos;
       at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

TEST(AlphasPlotTest, ReadsTheEpochsAndTheEnd) {
  const auto epochs = ReadRelaxedWeights(SearchFolder(), absl::nullopt);
  ASSERT_THAT(epochs, IsOk());
  ASSERT_EQ(epochs->size(), 3);
  EXPECT_EQ((*epochs)[0].normal, Filled(0.5f, 0.5f).normal);
  EXPECT_EQ((*epochs)[1].normal, Filled(0.3f, 0.7f).normal);
  EXPECT_EQ((*epochs)[1].reduce, Filled(0.3f, 0.7f).reduce);
  EXPECT_EQ((*epochs)[2].normal, Filled(0.1f, 0.9f).normal);
  EXPECT_EQ((*epochs)[2].reduce, Filled(0.1f, 0.9f).reduce);
}

TEST(AlphasPlotTest, WhatAnEarlyStopGaveUpIsLeftOut) {
  const auto first = ReadRelaxedWeights(SearchFolder(), /*returned_to=*/0);
  ASSERT_THAT(first, IsOk());
  ASSERT_EQ(first->size(), 2);
  EXPECT_EQ((*first)[0].normal, Filled(0.5f, 0.5f).normal);
  EXPECT_EQ((*first)[1].normal, Filled(0.1f, 0.9f).normal);
  EXPECT_EQ((*first)[1].reduce, Filled(0.1f, 0.9f).reduce);
  // Nothing where it stopped in time.
  const auto last = ReadRelaxedWeights(SearchFolder(), /*returned_to=*/1);
  ASSERT_THAT(last, IsOk());
  EXPECT_EQ(last->size(), 3);
}

TEST(AlphasPlotTest, RefusesAHistoryThatEndsBefore) {
  const absl::Status status =
      ReadRelaxedWeights(SearchFolder(), /*returned_to=*/2).status();
  EXPECT_THAT(status, ExitCodeIs(ExitCode::kData));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("history.csv: has 2 epochs; the search took the state "
                        "after 3"));
}

TEST(AlphasPlotTest, RefusesADamagedHistory) {
  History history;
  history.Append(Filled(0.5f, 0.5f));
  const std::string good = history.Csv();
  const std::string row = "0,normal,0,0,max_pool_3x3,0.5\n";
  ASSERT_THAT(good, HasSubstr(row));
  for (const std::string& contents :
       {std::string(), std::string("epoch,cell,node,from,op,weight\n"),
        good + row, good.substr(0, good.size() - 30),
        absl::StrReplaceAll(good, {{row, ""}}),
        absl::StrReplaceAll(good, {{row, "0,normal,0,0,max_pool_3x3,nan\n"}}),
        absl::StrReplaceAll(good, {{row, "1,normal,0,0,max_pool_3x3,0.5\n"}}),
        absl::StrReplaceAll(good,
                            {{row, "0,normal,0,0,sep_conv_3x3,0.5\n"}})}) {
    const RunFolder folder = SearchFolder();
    ASSERT_THAT(folder.Write("history.csv", contents), IsOk());
    const absl::Status status =
        ReadRelaxedWeights(folder, absl::nullopt).status();
    EXPECT_THAT(status, ExitCodeIs(ExitCode::kData)) << contents.substr(0, 80);
    EXPECT_THAT(std::string(status.message()), HasSubstr("history.csv"));
  }
}

TEST(AlphasPlotTest, RefusesADamagedEnd) {
  for (const std::string& contents :
       {std::string("none"), SerializeNpy({2, 7, std::vector<float>(14, 0.5f)}),
        Npy(std::numeric_limits<float>::quiet_NaN())}) {
    const RunFolder folder = SearchFolder();
    ASSERT_THAT(folder.Write("reduce_weight.npy", contents), IsOk());
    const absl::Status status =
        ReadRelaxedWeights(folder, absl::nullopt).status();
    EXPECT_THAT(status, ExitCodeIs(ExitCode::kData));
    EXPECT_THAT(std::string(status.message()), HasSubstr("reduce_weight.npy"));
  }
}

TEST(AlphasPlotTest, ALineACandidateAndSkipsAbove) {
  const std::vector<AlphasPanel> panels = {
      {"a < b", {Filled(0.5f, 0.5f), Filled(0, 1)}},
      {"second", {Filled(0.5f, 0.5f), Filled(1, 0)}},
      {"third", {Filled(0.5f, 0.5f), Filled(1, 0)}}};
  const std::string svg = AlphasSvg("title", panels);
  EXPECT_EQ(svg, AlphasSvg("title", panels));
  EXPECT_EQ(Count(svg, "<polyline "), 3 * 2 * 14 * 7);
  EXPECT_THAT(svg, HasSubstr("a &lt; b"));
  EXPECT_EQ(Count(svg, ">normal cell</text>"), 3);
  EXPECT_EQ(Count(svg, ">reduction cell</text>"), 3);
  for (const Primitive op : kS1Candidates) {
    EXPECT_EQ(Count(svg, absl::StrCat(">", PrimitiveName(op), "</text>")), 1);
  }
  // The last group of the first panel is that of the thicker lines.
  const std::string panel = svg.substr(0, svg.find("<rect x="));
  EXPECT_EQ(Count(panel, "<g fill=\"none\""), 7);
  EXPECT_THAT(panel.substr(panel.rfind("<g fill=\"none\"")),
              HasSubstr("stroke-width=\"1.8\""));
  EXPECT_EQ(Count(panel, "stroke-width=\"1.8\""), 1);
}

TEST(AlphasPlotTest, ZeroIsBelowAndOneAbove) {
  const std::string svg =
      AlphasSvg("title", {{"one", {Filled(0, 0), Filled(1, 1)}}});
  const size_t start = svg.find("<polyline points=\"") + 18;
  double x0, y0, x1, y1;
  ASSERT_EQ(
      std::sscanf(svg.c_str() + start, "%lf,%lf %lf,%lf", &x0, &y0, &x1, &y1),
      4);
  EXPECT_LT(x0, x1);
  EXPECT_GT(y0, y1);
}

}  // namespace
}  // namespace fairdarts
