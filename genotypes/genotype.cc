#include "genotypes/genotype.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "genotypes/edge_layout.h"

namespace fairdarts {
namespace {

constexpr int kMaxStates = kCellInputs + kMaxCellNodes;

absl::Status ValidateEdges(const GenotypeCell& cell, GenotypeForm form) {
  std::set<std::tuple<Primitive, int, int>> seen;
  for (size_t i = 0; i < cell.edges.size(); ++i) {
    const GenotypeEdge& edge = cell.edges[i];
    const auto error = [&](absl::string_view rule) {
      return DataError(
          absl::StrCat("edge ", i, " ", EdgeText(edge, form), ": ", rule));
    };
    if (edge.to < kCellInputs || edge.to >= kMaxStates) {
      return error(absl::StrCat("feeds state ", edge.to,
                                "; the nodes of a cell are ", kCellInputs,
                                " to ", kMaxStates - 1));
    }
    if (edge.from < 0 || edge.from >= edge.to) {
      return error(absl::StrCat("reads state ", edge.from, ", but node ",
                                edge.to, " can only read states 0 to ",
                                edge.to - 1));
    }
    if (form == GenotypeForm::kWeighted) {
      if (!std::isfinite(edge.weight)) {
        return error("its weight has to be a finite number");
      }
    } else if (edge.weight != 1) {
      return error(absl::StrCat("has the weight ", edge.weight, ", which ",
                                FormName(form), " do not have"));
    }
    if (form == GenotypeForm::kThreshold) {
      if (!seen.emplace(edge.op, edge.to, edge.from).second) {
        return error("is there twice");
      }
    } else if (edge.to != kCellInputs + static_cast<int>(i / 2)) {
      return error(absl::StrCat(
          "feeds node ", edge.to, "; in ", FormName(form),
          " every node has two edges, in the order of the nodes, so this one "
          "belongs to node ",
          kCellInputs + i / 2));
    }
  }
  if (form == GenotypeForm::kThreshold) return absl::OkStatus();
  if (cell.edges.empty()) {
    return DataError(absl::StrCat("has no edges; in ", FormName(form),
                                  " every node has two"));
  }
  if (cell.edges.size() % 2 != 0) {
    return DataError(absl::StrCat("node ", cell.edges.back().to,
                                  " has one edge; in ", FormName(form),
                                  " every node has two"));
  }
  return absl::OkStatus();
}

absl::Status ValidateConcat(const GenotypeCell& cell, GenotypeForm form) {
  const int states =
      form == GenotypeForm::kThreshold
          ? kMaxStates
          : kCellInputs + static_cast<int>(cell.edges.size() / 2);
  std::set<int> seen;
  for (const int state : cell.concat) {
    if (state < 0 || state >= states) {
      return DataError(absl::StrCat("names state ", state,
                                    "; the states of this cell are 0 to ",
                                    states - 1));
    }
    if (!seen.insert(state).second) {
      return DataError(absl::StrCat("names state ", state, " twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateCell(const GenotypeCell& cell, GenotypeForm form,
                          absl::string_view name) {
  FD_RETURN_IF_ERROR(Annotate(ValidateEdges(cell, form), name));
  return Annotate(ValidateConcat(cell, form), absl::StrCat(name, "_concat"));
}

}  // namespace

absl::string_view FormName(GenotypeForm form) {
  switch (form) {
    case GenotypeForm::kPairs:
      return "pairs (op, from)";
    case GenotypeForm::kThreshold:
      return "threshold edges (op, to, from)";
    case GenotypeForm::kWeighted:
      return "weighted pairs (op, from, weight)";
  }
  FD_CHECK(false) << "no form has the number " << static_cast<int>(form);
  return "";
}

std::string EdgeText(const GenotypeEdge& edge, GenotypeForm form) {
  std::string text = absl::StrCat("(", PrimitiveName(edge.op), ", ", edge.to,
                                  " <- ", edge.from);
  if (form == GenotypeForm::kWeighted) {
    absl::StrAppend(&text, ", weight ", edge.weight);
  }
  return absl::StrCat(text, ")");
}

absl::Status Genotype::Validate() const {
  FD_RETURN_IF_ERROR(ValidateCell(normal, form, "normal"));
  return ValidateCell(reduce, form, "reduce");
}

bool operator==(const GenotypeEdge& a, const GenotypeEdge& b) {
  return a.op == b.op && a.to == b.to && a.from == b.from &&
         a.weight == b.weight;
}

bool operator==(const GenotypeCell& a, const GenotypeCell& b) {
  return a.edges == b.edges && a.concat == b.concat;
}

bool operator==(const Genotype& a, const Genotype& b) {
  return a.form == b.form && a.normal == b.normal && a.reduce == b.reduce;
}

}  // namespace fairdarts
