#include "fairdarts/base/check.h"

#include <gtest/gtest.h>

namespace fairdarts {
namespace {

TEST(CheckTest, PassesSilently) {
  FD_CHECK(true) << "never built";
  FD_CHECK_EQ(1 + 1, 2);
  FD_CHECK_NE(1, 2);
  FD_CHECK_LT(1, 2);
  FD_CHECK_LE(2, 2);
  FD_CHECK_GT(2, 1);
  FD_CHECK_GE(2, 2);
}

TEST(CheckDeathTest, NamesConditionAndMessage) {
  EXPECT_DEATH(FD_CHECK(1 > 2) << "one is not more", "1 > 2 one is not more");
  EXPECT_DEATH(FD_CHECK_EQ(3, 4) << "nodes", "3 vs 4 nodes");
}

TEST(CheckTest, IsOneStatement) {
  bool reached = false;
  if (false)
    FD_CHECK(false);
  else
    reached = true;
  EXPECT_TRUE(reached);
}

}  // namespace
}  // namespace fairdarts
