#include "genotypes/picture_labels.h"

#include "absl/strings/str_cat.h"
#include "genotypes/edge_layout.h"

namespace fairdarts {

std::string StateLabel(int state) {
  return state < kCellInputs ? absl::StrCat("c_{k-", kCellInputs - state, "}")
                             : absl::StrCat(state - kCellInputs);
}

std::string EdgeLabel(const GenotypeEdge& edge, GenotypeForm form) {
  std::string label(PrimitiveName(edge.op));
  if (form == GenotypeForm::kWeighted)
    absl::StrAppend(&label, " ", edge.weight);
  return label;
}

}  // namespace fairdarts
