#include "genotypes/edge_layout.h"

#include "fairdarts/base/check.h"

namespace fairdarts {

int EdgeCount(int nodes) {
  FD_CHECK_GE(nodes, 0);
  return nodes * (nodes + 2 * kCellInputs - 1) / 2;
}

std::vector<CellEdge> EdgeLayout(int nodes) {
  std::vector<CellEdge> edges;
  edges.reserve(EdgeCount(nodes));
  for (int to = kCellInputs; to < kCellInputs + nodes; ++to) {
    for (int from = 0; from < to; ++from) edges.push_back({to, from});
  }
  return edges;
}

int EdgeRow(int to, int from) {
  FD_CHECK_GE(to, kCellInputs);
  FD_CHECK(0 <= from && from < to) << from << " -> " << to;
  return EdgeCount(to - kCellInputs) + from;
}

}  // namespace fairdarts
