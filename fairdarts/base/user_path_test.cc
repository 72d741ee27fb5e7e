#include "fairdarts/base/user_path.h"

#include <cstdlib>

#include "gtest/gtest.h"

namespace fairdarts {
namespace {

class UserPathTest : public testing::Test {
 protected:
  void TearDown() override { unsetenv("BUILD_WORKING_DIRECTORY"); }
};

TEST_F(UserPathTest, BeginsWhereTheUserTyped) {
  setenv("BUILD_WORKING_DIRECTORY", "/home/me", 1);
  EXPECT_EQ(UserPath("runs"), "/home/me/runs");
  EXPECT_EQ(UserPath("../data/x.npy"), "/home/data/x.npy");
  EXPECT_EQ(UserPath("./runs/"), "/home/me/runs");
  EXPECT_EQ(UserPath(""), "/home/me");
  EXPECT_EQ(UserPath("/data"), "/data");
  EXPECT_EQ(UserPath("/"), "/");
}

TEST_F(UserPathTest, StaysAsItIsOutsideBazelRun) {
  unsetenv("BUILD_WORKING_DIRECTORY");
  EXPECT_EQ(UserPath("runs"), "runs");
  EXPECT_EQ(UserPath("/data"), "/data");
  EXPECT_EQ(UserPath(""), ".");
}

}  // namespace
}  // namespace fairdarts
