#ifndef GENOTYPES_EDGE_LAYOUT_H_
#define GENOTYPES_EDGE_LAYOUT_H_

// How the rows of an alpha matrix map to the edges of a cell.
//
// A cell has states 0 and 1 (its two inputs) and nodes 2, 3, ...; node `to`
// has one edge from every earlier state. Rows run node by node, and within a
// node by source: (2,0) (2,1) (3,0) (3,1) (3,2) ... Four nodes make 14 rows.

#include <vector>

namespace fairdarts {

inline constexpr int kCellInputs = 2;
inline constexpr int kS1Nodes = 4;

struct CellEdge {
  int to;    // state fed by the edge, from kCellInputs on
  int from;  // earlier state it reads
  friend bool operator==(const CellEdge& a, const CellEdge& b) {
    return a.to == b.to && a.from == b.from;
  }
};

// The number of edges of a cell with `nodes` nodes: 2 + 3 + ... .
int EdgeCount(int nodes);

// The edges of a cell with `nodes` nodes in row order.
std::vector<CellEdge> EdgeLayout(int nodes);

// The row of an edge; needs kCellInputs <= to and 0 <= from < to.
int EdgeRow(int to, int from);

}  // namespace fairdarts

#endif  // GENOTYPES_EDGE_LAYOUT_H_
