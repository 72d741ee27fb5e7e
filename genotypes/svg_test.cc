#include "genotypes/svg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "genotypes/catalog.h"
#include "genotypes/cell_graph.h"
#include "genotypes/edge_layout.h"

namespace fairdarts {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// The text between `before` and `after`, which is cut from the front of it.
absl::string_view Between(absl::string_view& text, absl::string_view before,
                          absl::string_view after) {
  const size_t start = text.find(before);
  if (start == absl::string_view::npos) return text = "";
  text.remove_prefix(start + before.size());
  const size_t end = text.find(after);
  EXPECT_NE(end, absl::string_view::npos) << after;
  const absl::string_view found = text.substr(0, end);
  text.remove_prefix(std::min(text.size(), end));
  return found;
}

std::string Attribute(absl::string_view tag, absl::string_view name) {
  return std::string(Between(tag, absl::StrCat(" ", name, "=\""), "\""));
}

double Length(absl::string_view tag, absl::string_view name) {
  double value = 0;
  EXPECT_TRUE(absl::SimpleAtod(Attribute(tag, name), &value)) << tag;
  return value;
}

struct Box {
  std::string kind;
  std::string label;
  double left, top, right, bottom;

  bool Overlaps(const Box& other, double gap) const {
    return left < other.right + gap && other.left < right + gap &&
           top < other.bottom + gap && other.top < bottom + gap;
  }
  bool Holds(double x, double y) const {
    return left < x && x < right && top < y && y < bottom;
  }
};

// Everything with a place: each rectangle of a class, the label after it.
std::vector<Box> Boxes(absl::string_view svg) {
  std::vector<Box> boxes;
  while (true) {
    const absl::string_view tag = Between(svg, "<rect class=", "/>");
    if (tag.empty()) return boxes;
    const std::string whole = absl::StrCat(" class=", tag);
    Box box;
    box.kind = Attribute(whole, "class");
    box.left = Length(whole, "x");
    box.top = Length(whole, "y");
    box.right = box.left + Length(whole, "width");
    box.bottom = box.top + Length(whole, "height");
    Between(svg, "<text", ">");
    box.label = std::string(Between(svg, ">", "</text>"));
    boxes.push_back(box);
  }
}

struct Point {
  double x, y;
};

// Points along every line of the cell, the first and last pixels left out.
std::vector<Point> LinePoints(absl::string_view svg) {
  std::vector<Point> points;
  Between(svg, "</defs>", "<rect");
  while (true) {
    const absl::string_view d = Between(svg, "<path d=\"", "\"");
    if (d.empty()) return points;
    double x[4], y[4];
    if (std::sscanf(std::string(d).c_str(), "M%lf %lfC%lf %lf %lf %lf %lf %lf",
                    &x[0], &y[0], &x[1], &y[1], &x[2], &y[2], &x[3],
                    &y[3]) != 8) {
      EXPECT_EQ(std::sscanf(std::string(d).c_str(), "M%lf %lfH%lf", &x[0],
                            &y[0], &x[3]),
                3)
          << d;
      for (double t = 0; t <= 1; t += 0.05) {
        points.push_back({x[0] + t * (x[3] - x[0]), y[0]});
      }
      continue;
    }
    for (double t = 0.02; t <= 0.98; t += 0.02) {
      const double s = 1 - t;
      const double b[4] = {s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t};
      Point point = {0, 0};
      for (int i = 0; i < 4; ++i) {
        point.x += b[i] * x[i];
        point.y += b[i] * y[i];
      }
      points.push_back(point);
    }
  }
}

// Balanced tags, quoted attributes, known entities, characters that XML has.
void ExpectWellFormed(absl::string_view xml) {
  std::vector<std::string> open;
  size_t roots = 0;
  while (!xml.empty()) {
    const size_t tag = xml.find('<');
    absl::string_view data = xml.substr(0, tag);
    for (const char c : data) ASSERT_FALSE(absl::ascii_iscntrl(c) && c != '\n');
    ASSERT_FALSE(absl::StrContains(data, ">")) << data;
    for (size_t i = data.find('&'); i != absl::string_view::npos;
         i = data.find('&', i + 1)) {
      bool known = false;
      for (const char* entity : {"&amp;", "&lt;", "&gt;", "&quot;", "&apos;"}) {
        known = known || absl::StartsWith(data.substr(i), entity);
      }
      ASSERT_TRUE(known) << data;
    }
    if (tag == absl::string_view::npos) break;
    xml.remove_prefix(tag + 1);
    const size_t end = xml.find('>');
    ASSERT_NE(end, absl::string_view::npos);
    const absl::string_view inside = xml.substr(0, end);
    xml.remove_prefix(end + 1);
    ASSERT_EQ(std::count(inside.begin(), inside.end(), '"') % 2, 0) << inside;
    ASSERT_FALSE(absl::StrContains(inside, "<")) << inside;
    if (absl::StartsWith(inside, "/")) {
      ASSERT_FALSE(open.empty());
      ASSERT_EQ(open.back(), std::string(inside.substr(1)));
      open.pop_back();
    } else if (!absl::EndsWith(inside, "/")) {
      if (open.empty()) ++roots;
      open.emplace_back(inside.substr(0, inside.find(' ')));
    }
  }
  EXPECT_TRUE(open.empty());
  EXPECT_EQ(roots, 1u);
}

// What every picture of a cell has to fulfil.
void CheckCell(const GenotypeCell& cell, GenotypeForm form) {
  const std::string svg = CellToSvg(cell, form, "title");
  ExpectWellFormed(svg);
  EXPECT_EQ(svg, CellToSvg(cell, form, "title"));

  const CellGraph graph = MakeCellGraph(cell, form);
  const std::vector<Box> boxes = Boxes(svg);
  const auto labels = [&](absl::string_view kind) {
    std::vector<std::string> found;
    for (const Box& box : boxes) {
      if (box.kind == kind) found.push_back(box.label);
    }
    std::sort(found.begin(), found.end());
    return found;
  };
  std::vector<std::string> ops, dead, nodes, missing;
  for (size_t i = 0; i < cell.edges.size(); ++i) {
    std::string label(PrimitiveName(cell.edges[i].op));
    if (form == GenotypeForm::kWeighted) {
      absl::StrAppend(&label, " ", cell.edges[i].weight);
    }
    (graph.live[i] ? ops : dead).push_back(label);
  }
  for (int state = kCellInputs; state < graph.states(); ++state) {
    (graph.exists[state] ? nodes : missing)
        .push_back(absl::StrCat(state - kCellInputs));
  }
  for (std::vector<std::string>* list : {&ops, &dead, &nodes, &missing}) {
    std::sort(list->begin(), list->end());
  }
  EXPECT_EQ(labels("op"), ops);
  EXPECT_EQ(labels("dead"), dead);
  EXPECT_EQ(labels("node"), nodes);
  EXPECT_EQ(labels("missing"), missing);
  EXPECT_EQ(labels("input"), (std::vector<std::string>{"c_{k-1}", "c_{k-2}"}));
  EXPECT_EQ(labels("output"), std::vector<std::string>{"c_{k}"});

  // Lines into the output: one for each state that is concatenated.
  const std::vector<std::string> arrows = absl::StrSplit(svg, "url(#arrow)");
  EXPECT_EQ(arrows.size() - 1, cell.edges.size() + graph.output.size());

  const double width = Length(svg, "width");
  const double height = Length(svg, "height");
  // The advance of DejaVu Sans Mono, 0.602 em, at 11 px.
  constexpr double kAdvance = 0.602 * 11;
  for (size_t i = 0; i < boxes.size(); ++i) {
    EXPECT_GE(boxes[i].left, 0);
    EXPECT_GE(boxes[i].top, 0);
    EXPECT_LE(boxes[i].right, width);
    EXPECT_LE(boxes[i].bottom, height);
    EXPECT_LT(boxes[i].label.size() * kAdvance,
              boxes[i].right - boxes[i].left - 4)
        << boxes[i].label;
    for (size_t j = 0; j < i; ++j) {
      EXPECT_FALSE(boxes[i].Overlaps(boxes[j], 4))
          << boxes[i].label << " and " << boxes[j].label;
    }
  }
  int crossed = 0;
  for (const Point& point : LinePoints(svg)) {
    for (const Box& box : boxes) crossed += box.Holds(point.x, point.y);
  }
  EXPECT_EQ(crossed, 0) << "points of lines that lie inside a box";
}

TEST(SvgTest, EveryPublishedCellIsDrawnWholeAndReadable) {
  for (const CatalogEntry& entry : Catalog()) {
    SCOPED_TRACE(entry.key());
    CheckCell(entry.genotype.normal, entry.genotype.form);
    CheckCell(entry.genotype.reduce, entry.genotype.form);
    ExpectWellFormed(GenotypeToSvg(entry.genotype, entry.key()));
  }
}

TEST(SvgTest, EmptyAndDeadCells) {
  constexpr Primitive kOp = Primitive::kSepConv5x5;
  constexpr GenotypeForm kForm = GenotypeForm::kThreshold;
  CheckCell({}, kForm);
  CheckCell({{}, {2, 3, 4, 5}}, kForm);
  CheckCell({{{kOp, 5, 3}, {kOp, 5, 4}, {kOp, 4, 2}}, {2, 3, 4, 5}}, kForm);
  CheckCell({{{kOp, 4, 2}, {kOp, 2, 0}, {kOp, 5, 3}}, {}}, kForm);
  // Inputs in the output.
  CheckCell({{{kOp, 2, 0}, {kOp, 2, 1}}, {2, 0, 1}}, GenotypeForm::kPairs);
}

TEST(SvgTest, AllCandidatesOnAllEdges) {
  GenotypeCell cell;
  for (const CellEdge& edge : EdgeLayout(5)) {
    for (const Primitive op : kAllPrimitives) {
      cell.edges.push_back({op, edge.to, edge.from});
    }
  }
  CheckCell(cell, GenotypeForm::kThreshold);
}

TEST(SvgTest, TheLargestGenotypeIsDrawn) {
  GenotypeCell cell;
  for (const CellEdge& edge : EdgeLayout(kMaxCellNodes)) {
    for (const Primitive op : kAllPrimitives) {
      cell.edges.push_back({op, edge.to, edge.from});
    }
  }
  EXPECT_EQ(Boxes(CellToSvg(cell, GenotypeForm::kThreshold, "")).size(),
            cell.edges.size() + kMaxCellNodes + 3);
}

TEST(SvgTest, MissingNodesAreGrey) {
  const std::string svg = CellToSvg({{{Primitive::kSkipConnect, 2, 0}}, {2, 3}},
                                    GenotypeForm::kThreshold, "");
  absl::string_view rest = svg;
  const std::string missing(Between(rest, "<rect class=\"missing\"", "/>"));
  EXPECT_THAT(missing, HasSubstr("stroke=\"#b8b8b8\""));
  EXPECT_THAT(missing, HasSubstr("stroke-dasharray"));
  EXPECT_THAT(std::string(Between(rest, "<text", "</text>")),
              HasSubstr("#9a9a9a"));
}

TEST(SvgTest, BothCellsHaveTheirPlace) {
  const Genotype& genotype = FindInCatalog("FairDARTS_a")->entry->genotype;
  const std::string svg = GenotypeToSvg(genotype, "FairDARTS_a");
  EXPECT_LT(svg.find(">normal cell<"), svg.find(">reduction cell<"));
  EXPECT_EQ(Boxes(svg).size(), genotype.normal.edges.size() +
                                   genotype.reduce.edges.size() + 2 * (4 + 3));
}

TEST(SvgTest, AnyTitleIsEscaped) {
  const auto title = [](absl::string_view text) {
    const std::string svg = CellToSvg({}, GenotypeForm::kThreshold, text);
    ExpectWellFormed(svg);
    absl::string_view rest = svg;
    return std::string(Between(rest, "<title>", "</title>"));
  };
  EXPECT_EQ(title("a<b> & \"c\" 'd'"),
            "a&lt;b&gt; &amp; &quot;c&quot; &apos;d&apos;");
  EXPECT_EQ(title("</title><script>x</script>"),
            "&lt;/title&gt;&lt;script&gt;x&lt;/script&gt;");
}

TEST(SvgTest, NoTitleTakesNoPlace) {
  const std::string with = CellToSvg({}, GenotypeForm::kThreshold, "t");
  const std::string without = CellToSvg({}, GenotypeForm::kThreshold, "");
  EXPECT_LT(Length(without, "height"), Length(with, "height"));
  EXPECT_THAT(without, Not(HasSubstr("class=\"title\"")));
}

}  // namespace
}  // namespace fairdarts
