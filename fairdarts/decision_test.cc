#include "fairdarts/decision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int kSkip = 2;     // column of skip_connect
constexpr int kSepConv = 3;  // column of sep_conv_3x3

EdgeMatrix Constant(float value) {
  return {14, 7, std::vector<float>(14 * 7, value)};
}

float& At(EdgeMatrix& matrix, int row, int col) {
  return matrix.values[row * matrix.cols + col];
}

TEST(DecisionTest, NothingIsDecidedAtTheStart) {
  const auto decision = Decide(Constant(0.5f), Constant(0.5f), 0.85f);
  ASSERT_TRUE(decision.ok()) << decision.status();
  EXPECT_EQ(decision->weights, 196);
  EXPECT_EQ(decision->past_threshold, 0);
  EXPECT_EQ(decision->undecided, 196);
  EXPECT_EQ(decision->chosen, 16);
  EXPECT_EQ(decision->chosen_past_threshold, 0);
  EXPECT_EQ(decision->chosen_skips_normal, 0);
  EXPECT_EQ(decision->chosen_skips_reduce, 0);
  EXPECT_FALSE(decision->every_node_fed);
}

TEST(DecisionTest, CountsWhatIsPastTheThresholdAndWhatIsChosen) {
  EdgeMatrix normal = Constant(0.1f);
  EdgeMatrix reduce = Constant(0.1f);
  // Both edges of node 2 and one edge of each other node; rows of
  // EdgeLayout(4): node 2 at 0, 3 at 2, 4 at 5, 5 at 9.
  At(normal, 0, kSkip) = 0.95f;
  At(normal, 1, kSepConv) = 0.85f;
  At(normal, 2, kSkip) = 0.9f;
  At(normal, 5, kSepConv) = 0.9f;
  At(normal, 9, kSepConv) = 0.9f;
  for (const int row : {0, 2, 5, 9}) At(reduce, row, kSepConv) = 0.9f;
  At(reduce, 1, kSkip) = 0.8f;  // chosen, yet undecided
  // A second candidate of an edge is past the threshold, but not chosen.
  At(reduce, 0, kSkip) = 0.86f;

  auto decision = Decide(normal, reduce, 0.85f);
  ASSERT_TRUE(decision.ok()) << decision.status();
  EXPECT_EQ(decision->past_threshold, 10);
  EXPECT_EQ(decision->undecided, 1);
  EXPECT_EQ(decision->chosen, 16);
  EXPECT_EQ(decision->chosen_past_threshold, 9);
  EXPECT_EQ(decision->chosen_skips_normal, 2);
  EXPECT_EQ(decision->chosen_skips_reduce, 1);
  EXPECT_TRUE(decision->every_node_fed);

  At(reduce, 5, kSepConv) = 0.1f;
  decision = Decide(normal, reduce, 0.85f);
  ASSERT_TRUE(decision.ok()) << decision.status();
  EXPECT_FALSE(decision->every_node_fed);
}

TEST(DecisionTest, TheBoundsOfUndecidedAreOutside) {
  EdgeMatrix normal = Constant(kUndecidedAbove);
  At(normal, 0, 0) = kUndecidedBelow;
  const auto decision = Decide(normal, Constant(0.2f), 0.85f);
  ASSERT_TRUE(decision.ok()) << decision.status();
  EXPECT_EQ(decision->undecided, 98);
}

TEST(DecisionTest, NodesWithoutInputAreNamed) {
  GenotypeCell cell;
  EXPECT_THAT(NodesWithoutInput(cell), ElementsAre(2, 3, 4, 5));
  cell.edges = {{Primitive::kSkipConnect, 3, 0},
                {Primitive::kSepConv3x3, 3, 0},
                {Primitive::kSkipConnect, 5, 3}};
  EXPECT_THAT(NodesWithoutInput(cell), ElementsAre(2, 4));
  EXPECT_EQ(CountSkips(cell), 2);
  cell.edges.push_back({Primitive::kSkipConnect, 2, 0});
  cell.edges.push_back({Primitive::kSkipConnect, 4, 0});
  EXPECT_THAT(NodesWithoutInput(cell), IsEmpty());
}

TEST(DecisionTest, RefusesWhatDiscretizeRefuses) {
  EXPECT_EQ(ExitCodeOf(Decide({}, Constant(0.5f), 0.85f).status()),
            ExitCode::kData);
  EXPECT_EQ(ExitCodeOf(Decide(Constant(0.5f), Constant(0.5f), 1.0f).status()),
            ExitCode::kUsage);
}

}  // namespace
}  // namespace fairdarts
