#ifndef GENOTYPES_PICTURE_LABELS_H_
#define GENOTYPES_PICTURE_LABELS_H_

// What pictures of cells say, whatever draws them.

#include <string>

#include "genotypes/genotype.h"

namespace fairdarts {

// The cell's output, as papers call it.
inline constexpr char kOutputLabel[] = "c_{k}";

// "c_{k-2}" and "c_{k-1}" for the inputs, then "0", "1", ... for the nodes.
std::string StateLabel(int state);

// The name of the operation, with its weight where the form has one:
// "skip_connect 0.25".
std::string EdgeLabel(const GenotypeEdge& edge, GenotypeForm form);

}  // namespace fairdarts

#endif  // GENOTYPES_PICTURE_LABELS_H_
