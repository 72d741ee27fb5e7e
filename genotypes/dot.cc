#include "genotypes/dot.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "genotypes/cell_graph.h"
#include "genotypes/edge_layout.h"
#include "genotypes/picture_labels.h"

namespace fairdarts {
namespace {

constexpr char kGrey[] = "color=\"#b0b0b0\", fontcolor=\"#909090\"";

// A quoted string of the DOT language. Its labels know escapes such as \n and
// \l, so a backslash is doubled.
std::string Quoted(absl::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += absl::ascii_iscntrl(c) ? ' ' : c;
  }
  return quoted + "\"";
}

std::string Id(absl::string_view prefix, int state) {
  return absl::StrCat(prefix, "state", state);
}

// The statements of one cell; ids begin with `prefix`.
std::string Statements(const GenotypeCell& cell, GenotypeForm form,
                       absl::string_view prefix, absl::string_view indent) {
  const CellGraph graph = MakeCellGraph(cell, form);
  std::string text;
  for (int state = 0; state < graph.states(); ++state) {
    absl::StrAppend(&text, indent, Id(prefix, state),
                    " [label=", Quoted(StateLabel(state)));
    if (state < kCellInputs) absl::StrAppend(&text, ", shape=box");
    if (!graph.exists[state]) {
      absl::StrAppend(&text, ", style=dashed, ", kGrey);
    }
    absl::StrAppend(&text, "];\n");
  }
  absl::StrAppend(&text, indent, prefix, "output [label=", Quoted(kOutputLabel),
                  ", shape=box",
                  graph.output.empty() ? absl::StrCat(", style=dashed, ", kGrey)
                                       : std::string(),
                  "];\n");
  for (size_t i = 0; i < cell.edges.size(); ++i) {
    const GenotypeEdge& edge = cell.edges[i];
    absl::StrAppend(&text, indent, Id(prefix, edge.from), " -> ",
                    Id(prefix, edge.to),
                    " [label=", Quoted(EdgeLabel(edge, form)));
    if (!graph.live[i]) absl::StrAppend(&text, ", style=dashed, ", kGrey);
    absl::StrAppend(&text, "];\n");
  }
  for (const int state : graph.output) {
    absl::StrAppend(&text, indent, Id(prefix, state), " -> ", prefix,
                    "output;\n");
  }
  return text;
}

std::string Header(absl::string_view title) {
  return absl::StrCat("digraph ", Quoted(title), " {\n  label=", Quoted(title),
                      ";\n"
                      "  labelloc=t;\n"
                      "  rankdir=LR;\n"
                      "  node [shape=circle, fontname=\"sans-serif\"];\n"
                      "  edge [fontname=\"sans-serif\", fontsize=10];\n");
}

}  // namespace

std::string CellToDot(const GenotypeCell& cell, GenotypeForm form,
                      absl::string_view title) {
  return absl::StrCat(Header(title), Statements(cell, form, "", "  "), "}\n");
}

std::string GenotypeToDot(const Genotype& genotype, absl::string_view title) {
  std::string text = Header(title);
  for (const bool reduce : {false, true}) {
    const absl::string_view name = reduce ? "reduce" : "normal";
    absl::StrAppend(&text, "  subgraph cluster_", name,
                    " {\n    label=", Quoted(name), ";\n",
                    Statements(reduce ? genotype.reduce : genotype.normal,
                               genotype.form, absl::StrCat(name, "_"), "    "),
                    "  }\n");
  }
  return absl::StrCat(text, "}\n");
}

}  // namespace fairdarts
