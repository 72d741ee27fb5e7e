#include "training/derive_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/file.h"
#include "tests/status_matchers.h"
#include "training/data/npy.h"

namespace fairdarts {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class DeriveCommandTest : public ::testing::Test {
 protected:
  DeriveCommandTest()
      : folder_(absl::StrCat(
            ::testing::TempDir(), "/",
            ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::create_directories(folder_);
    setenv("BUILD_WORKING_DIRECTORY", folder_.c_str(), 1);
  }

  // A matrix with `weight` on max_pool_3x3 of every edge and 0.1 elsewhere.
  void WriteMatrix(const char* name, float weight, int rows = 14) {
    NpyMatrix matrix;
    matrix.rows = rows;
    matrix.columns = 7;
    matrix.values.assign(rows * 7, 0.1f);
    for (int row = 0; row < rows; ++row) matrix.values[row * 7] = weight;
    ASSERT_THAT(WriteNpy(absl::StrCat(folder_, "/", name), matrix), IsOk());
  }

  int Derive(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "derive");
    std::ostringstream out;
    std::ostringstream err;
    RunLog log(out, err, /*terminal=*/false, /*columns=*/80);
    const int code = DeriveCommand(static_cast<int>(arguments.size()),
                                   arguments.data(), log);
    out_ = out.str();
    err_ = err.str();
    return code;
  }

  bool AnythingWritten() const {
    return std::filesystem::exists(absl::StrCat(folder_, "/runs"));
  }

  const std::string folder_;
  std::string out_;
  std::string err_;
};

TEST_F(DeriveCommandTest, DerivesARun) {
  WriteMatrix("normal_weight.npy", 0.9f);
  WriteMatrix("reduce_weight.npy", 0.8f);
  ASSERT_EQ(Derive({"--run=.", "--op_threshold=0.7"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("('max_pool_3x3', 5, 0)"));
  std::string run;
  for (const auto& entry :
       std::filesystem::directory_iterator(folder_ + "/runs")) {
    run = entry.path();
  }
  for (const char* name :
       {"genotype.textproto", "genotype.txt", "normal.svg", "reduce.svg"}) {
    EXPECT_THAT(ReadFile(absl::StrCat(run, "/", name)), IsOk());
  }
}

TEST_F(DeriveCommandTest, SaysWhichNodesAreMissing) {
  WriteMatrix("n.npy", 0.9f);
  WriteMatrix("r.npy", 0.8f);
  ASSERT_EQ(Derive({"--normal_weight=n.npy", "--reduce_weight=r.npy"}), 0)
      << err_;
  EXPECT_THAT(out_, HasSubstr("reduction cell no edge feeds node 2, 3, 4, 5"));
  EXPECT_THAT(out_, ::testing::Not(HasSubstr("normal cell no edge")));
}

TEST_F(DeriveCommandTest, RefusesBadInputAndWritesNothing) {
  WriteMatrix("good.npy", 0.9f);
  WriteMatrix("short.npy", 0.9f, 13);
  WriteMatrix("nan.npy", std::nanf(""));
  EXPECT_EQ(Derive({}), 2);
  EXPECT_THAT(err_, HasSubstr("--run=FOLDER"));
  EXPECT_EQ(Derive({"--normal_weight=good.npy"}), 2);
  EXPECT_EQ(Derive({"--run=.", "--normal_weight=good.npy"}), 2);
  EXPECT_EQ(Derive({"--run=nowhere"}), 3);
  EXPECT_THAT(err_, HasSubstr("nowhere/normal_weight.npy"));
  EXPECT_EQ(Derive({"--normal_weight=good.npy", "--reduce_weight=short.npy"}),
            3);
  EXPECT_THAT(err_, AllOf(HasSubstr("short.npy"), HasSubstr("13")));
  EXPECT_EQ(Derive({"--normal_weight=nan.npy", "--reduce_weight=good.npy"}), 3);
  EXPECT_THAT(err_, HasSubstr("nan.npy"));
  EXPECT_EQ(Derive({"--normal_weight=good.npy", "--reduce_weight=good.npy",
                    "--op_threshold=1"}),
            2);
  EXPECT_THAT(err_, HasSubstr("--op_threshold"));
  EXPECT_EQ(Derive({"--normal_weight=good.npy", "--reduce_weight=good.npy",
                    "--parse_method=best"}),
            2);
  EXPECT_THAT(err_, HasSubstr("threshold"));
  EXPECT_EQ(Derive({"--normal_weight=good.npy", "--reduce_weight=good.npy",
                    "--save=a/b"}),
            2);
  EXPECT_FALSE(AnythingWritten());
}

TEST_F(DeriveCommandTest, HelpListsTheFlags) {
  EXPECT_EQ(Derive({"--help"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("usage: derive"),
                          HasSubstr("--op_threshold"), HasSubstr("0.85")));
}

}  // namespace
}  // namespace fairdarts
