#ifndef GENOTYPES_SVG_H_
#define GENOTYPES_SVG_H_

// Pictures of cells as SVG, laid out here: no graphviz is needed.
//
// A layered layout from left to right (Sugiyama, Tagawa, Toda: Methods for
// Visual Understanding of Hierarchical System Structures, 1981): the inputs
// c_{k-2} and c_{k-1}, then every node 0, 1, ... right of what it reads, then
// the output c_{k}. Each operation is a box with its name on the way into its
// node; boxes have places of their own in the layers, so none overlaps another.
// Lines have the colour of the state that they come from. Nodes that nothing
// feeds, and what reads them, are grey. The same genotype and title give the
// same bytes.

#include <string>

#include "absl/strings/string_view.h"
#include "genotypes/genotype.h"

namespace fairdarts {

// One cell of a valid genotype. The title may be any text, or empty.
std::string CellToSvg(const GenotypeCell& cell, GenotypeForm form,
                      absl::string_view title);

// Both cells of a valid genotype in one picture, normal above reduce.
std::string GenotypeToSvg(const Genotype& genotype, absl::string_view title);

}  // namespace fairdarts

#endif  // GENOTYPES_SVG_H_
