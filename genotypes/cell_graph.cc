#include "genotypes/cell_graph.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "genotypes/edge_layout.h"

namespace fairdarts {
namespace {

absl::Status CheckCell(const GenotypeCell& cell, GenotypeForm form,
                       absl::string_view name) {
  const auto error = [name](absl::string_view what) {
    return DataError(
        absl::StrCat(name, ": ", what, ", so no network can be built from it"));
  };
  if (cell.edges.empty()) return error("the cell is empty");
  const CellGraph graph = MakeCellGraph(cell, form);
  if (!graph.output.empty()) return absl::OkStatus();
  return error(form == GenotypeForm::kThreshold
                   ? "every edge reads a missing node"
                   : "its concat names no state");
}

}  // namespace

CellGraph MakeCellGraph(const GenotypeCell& cell, GenotypeForm form) {
  int last = kCellInputs - 1;
  for (const GenotypeEdge& edge : cell.edges) {
    FD_CHECK(0 <= edge.from && edge.from < edge.to) << EdgeText(edge, form);
    last = std::max(last, edge.to);
  }
  for (const int state : cell.concat) last = std::max(last, state);

  CellGraph graph;
  graph.exists.assign(last + 1, false);
  std::fill_n(graph.exists.begin(), kCellInputs, true);
  // Edges read earlier states only, so one pass in the order of the nodes
  // settles which of them exist, whatever the order of the edges.
  for (int node = kCellInputs; node <= last; ++node) {
    for (const GenotypeEdge& edge : cell.edges) {
      if (edge.to == node && graph.exists[edge.from]) graph.exists[node] = true;
    }
  }
  for (const GenotypeEdge& edge : cell.edges) {
    graph.live.push_back(graph.exists[edge.from]);
  }
  if (form != GenotypeForm::kThreshold) {
    graph.output = cell.concat;
    return graph;
  }
  std::vector<bool> listed(graph.exists.size(), false);
  for (size_t i = 0; i < cell.edges.size(); ++i) {
    const int node = cell.edges[i].to;
    if (!graph.live[i] || listed[node]) continue;
    listed[node] = true;
    graph.output.push_back(node);
  }
  return graph;
}

absl::Status CheckBuildable(const Genotype& genotype) {
  FD_RETURN_IF_ERROR(genotype.Validate());
  FD_RETURN_IF_ERROR(CheckCell(genotype.normal, genotype.form, "normal"));
  FD_RETURN_IF_ERROR(CheckCell(genotype.reduce, genotype.form, "reduce"));
  if (genotype.form == GenotypeForm::kThreshold) return absl::OkStatus();
  for (const int state : genotype.reduce.concat) {
    if (state < kCellInputs) {
      return DataError(absl::StrCat("reduce_concat: names the input ", state,
                                    ", whose maps are larger than those of "
                                    "the nodes that it is joined with"));
    }
  }
  return absl::OkStatus();
}

}  // namespace fairdarts
