#include "genotypes/dot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "genotypes/catalog.h"
#include "genotypes/cell_graph.h"

namespace fairdarts {
namespace {

using ::testing::HasSubstr;

TEST(DotTest, AWholeCell) {
  const GenotypeCell cell = {{{Primitive::kSepConv3x3, 2, 0},
                              {Primitive::kSkipConnect, 2, 0},
                              {Primitive::kMaxPool3x3, 4, 3}},
                             {2, 3, 4}};
  EXPECT_EQ(CellToDot(cell, GenotypeForm::kThreshold, "normal"),
            R"(digraph "normal" {
  label="normal";
  labelloc=t;
  rankdir=LR;
  node [shape=circle, fontname="sans-serif"];
  edge [fontname="sans-serif", fontsize=10];
  state0 [label="c_{k-2}", shape=box];
  state1 [label="c_{k-1}", shape=box];
  state2 [label="0"];
  state3 [label="1", style=dashed, color="#b0b0b0", fontcolor="#909090"];
  state4 [label="2", style=dashed, color="#b0b0b0", fontcolor="#909090"];
  output [label="c_{k}", shape=box];
  state0 -> state2 [label="sep_conv_3x3"];
  state0 -> state2 [label="skip_connect"];
  state3 -> state4 [label="max_pool_3x3", style=dashed, color="#b0b0b0", fontcolor="#909090"];
  state2 -> output;
}
)");
}

TEST(DotTest, AnEmptyCellHasAGreyOutput) {
  EXPECT_THAT(CellToDot({{}, {2}}, GenotypeForm::kThreshold, ""),
              HasSubstr("output [label=\"c_{k}\", shape=box, style=dashed"));
}

TEST(DotTest, WeightsAreOnTheEdges) {
  const GenotypeCell cell = {{{Primitive::kSkipConnect, 2, 0, 0.25},
                              {Primitive::kSkipConnect, 2, 1, 0.75}},
                             {2}};
  EXPECT_THAT(CellToDot(cell, GenotypeForm::kWeighted, ""),
              HasSubstr("state0 -> state2 [label=\"skip_connect 0.25\"];"));
}

TEST(DotTest, EveryPublishedGenotypeHasAllItsEdges) {
  for (const CatalogEntry& entry : Catalog()) {
    SCOPED_TRACE(entry.key());
    const Genotype& genotype = entry.genotype;
    const std::string dot = GenotypeToDot(genotype, entry.key());
    EXPECT_EQ(dot, GenotypeToDot(genotype, entry.key()));
    size_t arrows = 0;
    for (const bool reduce : {false, true}) {
      const GenotypeCell& cell = reduce ? genotype.reduce : genotype.normal;
      const std::string prefix = reduce ? "reduce_state" : "normal_state";
      for (const GenotypeEdge& edge : cell.edges) {
        EXPECT_THAT(dot, HasSubstr(absl::StrCat(
                             "    ", prefix, edge.from, " -> ", prefix, edge.to,
                             " [label=\"", PrimitiveName(edge.op))));
      }
      const CellGraph graph = MakeCellGraph(cell, genotype.form);
      arrows += cell.edges.size() + graph.output.size();
    }
    const std::vector<std::string> parts = absl::StrSplit(dot, " -> ");
    EXPECT_EQ(parts.size() - 1, arrows);
  }
}

TEST(DotTest, AnyTitleStaysInsideItsQuotes) {
  const std::string dot =
      CellToDot({}, GenotypeForm::kThreshold, "a\"]; b\\\n\\l");
  EXPECT_THAT(dot, HasSubstr("label=\"a\\\"]; b\\\\ \\\\l\";"));
}

}  // namespace
}  // namespace fairdarts
