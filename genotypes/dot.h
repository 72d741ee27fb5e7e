#ifndef GENOTYPES_DOT_H_
#define GENOTYPES_DOT_H_

// Cells as graphviz text: `dot -Tpng cell.dot -o cell.png`. svg.h draws them
// without graphviz.
//
// Inputs are c_{k-2} and c_{k-1}, nodes 0, 1, ..., the output c_{k}; every
// operation is an edge with its name. Nodes that nothing feeds, and what reads
// them, are grey. The same genotype and title give the same bytes.

#include <string>

#include "absl/strings/string_view.h"
#include "genotypes/genotype.h"

namespace fairdarts {

// One cell of a valid genotype. The title may be any text, or empty.
std::string CellToDot(const GenotypeCell& cell, GenotypeForm form,
                      absl::string_view title);

// Both cells of a valid genotype in one graph.
std::string GenotypeToDot(const Genotype& genotype, absl::string_view title);

}  // namespace fairdarts

#endif  // GENOTYPES_DOT_H_
