#ifndef GENOTYPES_CELL_GRAPH_H_
#define GENOTYPES_CELL_GRAPH_H_

// What is left of a cell once what reaches nothing is dropped.
//
// A threshold rule may leave a node without edges. That node is missing, with
// it every edge that reads it, and so on; the nodes that are left are
// concatenated in the order in which the cell's edges first feed them. In
// pair cells all nodes exist and `concat` names the output.

#include <vector>

#include "absl/status/status.h"
#include "genotypes/genotype.h"

namespace fairdarts {

struct CellGraph {
  // States 0 and 1 are the inputs; the others, up to the last one that an
  // edge or concat names, are nodes.
  int states() const { return static_cast<int>(exists.size()); }

  std::vector<bool> exists;  // [states]
  std::vector<bool> live;    // [edges]: reads a state that exists
  std::vector<int> output;   // the states that are concatenated, in order
};

// The graph of a cell of a valid genotype of this form.
CellGraph MakeCellGraph(const GenotypeCell& cell, GenotypeForm form);

// Whether a network can be built from the genotype: it is valid, each cell has
// an output, and a reduction cell's does not name an input, whose maps are
// larger than the nodes'. The data error names the cell.
absl::Status CheckBuildable(const Genotype& genotype);

}  // namespace fairdarts

#endif  // GENOTYPES_CELL_GRAPH_H_
