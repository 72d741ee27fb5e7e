#include "fairdarts/plots/line_plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <regex>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace fairdarts {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr PlotAxis::Scale kLog2 = PlotAxis::Scale::kLog2;

std::vector<std::smatch> Matches(const std::string& svg, const char* pattern) {
  const std::regex regex(pattern);
  return {std::sregex_iterator(svg.begin(), svg.end(), regex),
          std::sregex_iterator()};
}

// The numbers under the axis of x, or beside that of y.
std::vector<std::string> Ticks(const std::string& svg, bool x) {
  std::vector<std::string> ticks;
  for (const std::smatch& match :
       Matches(svg,
               "<text x=\"([^\"]*)\" y=\"([^\"]*)\" "
               "text-anchor=\"(middle|end)\">([-+.e0-9]+)</text>")) {
    if ((match[3] == "middle") == x) ticks.push_back(match[4]);
  }
  return ticks;
}

std::vector<PlotPoint> Marks(const std::string& svg) {
  std::vector<PlotPoint> marks;
  for (const std::smatch& match :
       Matches(svg, "<circle cx=\"([^\"]*)\" cy=\"([^\"]*)\"")) {
    marks.push_back({std::stod(match[1]), std::stod(match[2])});
  }
  return marks;
}

PlotPanel PanelOf(const std::vector<PlotPoint>& points) {
  PlotPanel panel;
  panel.title = "panel";
  panel.x.label = "images";
  panel.y.label = "time, ms";
  panel.series = {{"a", points}};
  return panel;
}

TEST(LinePlotTest, TicksAreRoundNumbersAroundAllValues) {
  const std::string svg =
      LinePlotSvg("title", "", {PanelOf({{16, 0.31}, {144, 0.83}})});
  EXPECT_THAT(Ticks(svg, true), ElementsAre("0", "20", "40", "60", "80", "100",
                                            "120", "140", "160"));
  EXPECT_THAT(Ticks(svg, false),
              ElementsAre("0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9"));
}

TEST(LinePlotTest, PointsLieWhereTheAxesSay) {
  PlotPanel panel = PanelOf({{0, 50}, {5, 100}, {10, 75}});
  panel.y.from = 50;
  panel.y.to = 100;
  const std::vector<PlotPoint> marks = Marks(LinePlotSvg("", "", {panel}));
  ASSERT_THAT(marks, SizeIs(3));
  // Left at the bottom, in the middle at the top, right half way up.
  EXPECT_EQ(marks[0].x, 0);
  EXPECT_GT(marks[0].y, 0);
  EXPECT_THAT(marks[1].x, DoubleNear(marks[2].x / 2, 0.1));
  EXPECT_EQ(marks[1].y, 0);
  EXPECT_THAT(marks[2].y, DoubleNear(marks[0].y / 2, 0.1));
}

TEST(LinePlotTest, PowersOfTwoAreEquallyFarApart) {
  PlotPanel panel = PanelOf({{1, 1}, {2, 1}, {4, 2}, {256, 3}});
  panel.x.scale = kLog2;
  const std::string svg = LinePlotSvg("", "", {panel});
  EXPECT_THAT(Ticks(svg, true),
              ElementsAre("1", "2", "4", "8", "16", "32", "64", "128", "256"));
  const std::vector<PlotPoint> marks = Marks(svg);
  EXPECT_THAT(marks[2].x - marks[1].x, DoubleNear(marks[1].x, 0.1));
  EXPECT_THAT(marks[3].x, DoubleNear(8 * marks[1].x, 0.5));
}

TEST(LinePlotTest, LongRangesOfPowersHaveFewTicks) {
  PlotPanel panel = PanelOf({{1, 1}, {1 << 20, 1}});
  panel.x.scale = kLog2;
  const std::vector<std::string> ticks =
      Ticks(LinePlotSvg("", "", {panel}), true);
  EXPECT_EQ(ticks.front(), "1");
  EXPECT_LE(ticks.size(), 10u);
  EXPECT_GE(ticks.size(), 4u);
}

TEST(LinePlotTest, BoundsStandAndTicksStayWithin) {
  PlotPanel panel = PanelOf({{1, 1}, {2, 1.1}});
  panel.y.from = 0.93;
  panel.y.to = 1.07;
  EXPECT_THAT(Ticks(LinePlotSvg("", "", {panel}), false),
              ElementsAre("0.94", "0.96", "0.98", "1", "1.02", "1.04", "1.06"));
}

TEST(LinePlotTest, NothingToSpanStillMakesAPicture) {
  for (const PlotAxis::Scale scale : {PlotAxis::Scale::kLinear, kLog2}) {
    for (const std::vector<PlotPoint>& points :
         std::vector<std::vector<PlotPoint>>{
             {}, {{3, 7}}, {{1, 5}, {2, 5}}, {{1e-9, 1e12}, {1e9, 1e-12}}}) {
      PlotPanel panel = PanelOf(points);
      panel.x.scale = panel.y.scale = scale;
      const std::string svg = LinePlotSvg("", "", {panel});
      EXPECT_THAT(svg, Not(HasSubstr("nan")));
      EXPECT_THAT(svg, Not(HasSubstr("inf")));
      EXPECT_THAT(Marks(svg), SizeIs(points.size()));
      EXPECT_GE(Ticks(svg, false).size(), 2u);
      EXPECT_LE(Ticks(svg, false).size(), 12u);
    }
  }
  // A bound that all values lie beyond.
  PlotPanel panel = PanelOf({{1, 5}});
  panel.y.from = 9;
  EXPECT_THAT(LinePlotSvg("", "", {panel}), Not(HasSubstr("nan")));
  EXPECT_THAT(LinePlotSvg("", "", {}), HasSubstr("</svg>"));
}

TEST(LinePlotTest, ASeriesHasOneColourAndOneLegend) {
  PlotPanel first = PanelOf({{1, 1}});
  first.series = {{"a", {{1, 1}}}, {"b", {{1, 2}}}};
  PlotPanel second = PanelOf({{1, 1}});
  second.series = {{"b", {{1, 2}}}, {"c", {{1, 3}}}};
  const std::string svg = LinePlotSvg("", "", {first, second});
  std::vector<std::string> colours;
  for (const std::smatch& match :
       Matches(svg, "<polyline [^>]*stroke=\"([^\"]*)\"")) {
    colours.push_back(match[1]);
  }
  ASSERT_THAT(colours, SizeIs(4));
  EXPECT_EQ(colours[1], colours[2]);
  EXPECT_NE(colours[0], colours[1]);
  EXPECT_NE(colours[2], colours[3]);
  EXPECT_THAT(Matches(svg, ">b</text>"), SizeIs(1));
}

TEST(LinePlotTest, ManySeriesCanBeToldApartAndStayInThePicture) {
  PlotPanel panel = PanelOf({});
  panel.series.clear();
  for (int i = 0; i < 20; ++i) {
    panel.series.push_back({absl::StrCat("a rather long name ", i), {{1, 1}}});
  }
  const std::string svg = LinePlotSvg("", "caption", {panel});
  std::vector<std::string> looks;
  for (const std::smatch& match :
       Matches(svg, "<polyline [^>]*fill=\"none\"([^>]*)/>")) {
    looks.push_back(match[1]);
  }
  std::sort(looks.begin(), looks.end());
  EXPECT_EQ(std::unique(looks.begin(), looks.end()) - looks.begin(), 20);
  double width = 0, height = 0;
  ASSERT_EQ(std::sscanf(svg.substr(svg.find("width=")).c_str(),
                        "width=\"%lf\" height=\"%lf\"", &width, &height),
            2);
  for (const std::smatch& match :
       Matches(svg,
               "<text x=\"([^\"]*)\" y=\"([^\"]*)\" "
               "text-anchor=\"start\"[^>]*>([^<]*)")) {
    // At 12 px no font is wider than 8 px a character on the average.
    EXPECT_LT(std::stod(match[1]) + 8 * match[3].length(), width + 24);
    EXPECT_LT(std::stod(match[2]), height);
  }
}

TEST(LinePlotTest, TextsMayHoldAnything) {
  PlotPanel panel = PanelOf({{1, 1}});
  panel.title = panel.x.label = panel.y.label = panel.series[0].name = "<b>&\"";
  panel.guides = {{1, "<b>&\""}};
  const std::string svg = LinePlotSvg("<b>&\"", "<b>&\"\nmore", {panel});
  EXPECT_THAT(svg, Not(HasSubstr("<b>")));
  EXPECT_THAT(Matches(svg, "&lt;b&gt;&amp;&quot;</text>"), SizeIs(7));
  EXPECT_THAT(svg, HasSubstr(">more</text>"));
}

TEST(LinePlotTest, GuidesLieAtTheirValue) {
  PlotPanel panel = PanelOf({{0, 0}, {1, 10}});
  panel.guides = {{10, "peak"}};
  const std::string svg = LinePlotSvg("", "", {panel});
  EXPECT_THAT(Matches(svg, "<line x1=\"0.0\" y1=\"0.0\"[^>]*dasharray"),
              SizeIs(1));
  EXPECT_THAT(svg, HasSubstr(">peak</text>"));
}

TEST(LinePlotDeathTest, ValuesThatNoAxisHas) {
  PlotPanel panel = PanelOf({{0, 1}});
  panel.x.scale = kLog2;
  EXPECT_DEATH(LinePlotSvg("", "", {panel}), "");
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_DEATH(LinePlotSvg("", "", {PanelOf({{0, nan}})}), "");
  panel = PanelOf({{0, 1}});
  panel.x.from = panel.x.to = 1;
  EXPECT_DEATH(LinePlotSvg("", "", {panel}), "ends where it begins");
}

}  // namespace
}  // namespace fairdarts
