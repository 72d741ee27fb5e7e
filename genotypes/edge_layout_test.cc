#include "genotypes/edge_layout.h"

#include <gtest/gtest.h>

namespace fairdarts {
namespace {

TEST(EdgeLayoutTest, FourNodesMakeTheFourteenRowsOfTheSearchSpace) {
  const std::vector<CellEdge> expected = {
      {2, 0}, {2, 1}, {3, 0}, {3, 1}, {3, 2}, {4, 0}, {4, 1},
      {4, 2}, {4, 3}, {5, 0}, {5, 1}, {5, 2}, {5, 3}, {5, 4}};
  EXPECT_EQ(EdgeLayout(kS1Nodes), expected);
  EXPECT_EQ(EdgeCount(kS1Nodes), 14);
}

TEST(EdgeLayoutTest, RowsAndEdgesAreInverse) {
  for (int nodes = 0; nodes <= 9; ++nodes) {
    const std::vector<CellEdge> edges = EdgeLayout(nodes);
    ASSERT_EQ(edges.size(), static_cast<size_t>(EdgeCount(nodes)));
    for (size_t row = 0; row < edges.size(); ++row) {
      EXPECT_EQ(EdgeRow(edges[row].to, edges[row].from), static_cast<int>(row));
    }
  }
}

TEST(EdgeLayoutTest, NoRowForAnEdgeFromALaterState) {
  EXPECT_DEATH(EdgeRow(2, 2), "2 -> 2");
  EXPECT_DEATH(EdgeRow(1, 0), "1 vs 2");
  EXPECT_DEATH(EdgeRow(3, -1), "-1 -> 3");
}

}  // namespace
}  // namespace fairdarts
