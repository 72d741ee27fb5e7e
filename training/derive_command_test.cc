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

TEST_F(DeriveCommandTest, ReweightedGenotypesCarryTheirWeights) {
  WriteMatrix("normal_weight.npy", 0.75f);
  WriteMatrix("reduce_weight.npy", 0.25f);
  ASSERT_EQ(Derive({"--run=.", "--parse_method=darts", "--reweight"}), 0)
      << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("normal=[('max_pool_3x3', 0, 0.75)"),
                          HasSubstr("reduce=[('max_pool_3x3', 0, 0.25)")));
  ASSERT_EQ(Derive({"--run=.", "--parse_method=darts"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("normal=[('max_pool_3x3', 0)"));
}

TEST_F(DeriveCommandTest, ABudgetChangesTheGenotypeWhereItHasTo) {
  WriteMatrix("r.npy", 0.9f);
  // Every edge of the normal cell wants sep_conv_5x5, column 4.
  NpyMatrix normal;
  normal.rows = 14;
  normal.columns = 7;
  normal.values.assign(14 * 7, 0.86f);
  for (int row = 0; row < 14; ++row) normal.values[row * 7 + 4] = 0.9f;
  ASSERT_THAT(WriteNpy(absl::StrCat(folder_, "/n.npy"), normal), IsOk());
  const auto derive = [&](std::vector<const char*> flags) {
    flags.insert(flags.begin(),
                 {"--normal_weight=n.npy", "--reduce_weight=r.npy"});
    return Derive(flags);
  };
  ASSERT_EQ(derive({}), 0) << err_;
  EXPECT_THAT(out_, ::testing::Not(HasSubstr("budget")));
  const std::string genotype = out_.substr(0, out_.find('\n'));
  ASSERT_EQ(derive({"--flops_budget=900", "--size_budget=6"}), 0) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr(genotype), HasSubstr("the rule's own")));
  for (const char* rule :
       {"--parse_method=darts", "--parse_method=threshold_sparse",
        "--parse_method=threshold_edge"}) {
    for (const char* budget : {"--flops_budget=300", "--size_budget=2"}) {
      SCOPED_TRACE(absl::StrCat(rule, " ", budget));
      ASSERT_EQ(derive({rule, budget}), 0) << err_;
      EXPECT_THAT(out_, HasSubstr("the best that keeps it"));
    }
  }
  ASSERT_EQ(
      derive({"--parse_method=darts", "--flops_budget=300", "--reweight"}), 0)
      << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("0.8600000143051147)"),
                          HasSubstr("the best that keeps it")));
}

TEST_F(DeriveCommandTest, RefusesWhatABudgetOrWeightsCannotDo) {
  WriteMatrix("good.npy", 0.9f);
  WriteMatrix("low.npy", 0.5f);
  const auto derive = [&](std::vector<const char*> flags) {
    flags.insert(flags.begin(), "--normal_weight=good.npy");
    return Derive(flags);
  };
  const char* const good = "--reduce_weight=good.npy";
  EXPECT_EQ(derive({good, "--reweight"}), 2);
  EXPECT_THAT(err_, AllOf(HasSubstr("reweight: only"), HasSubstr("darts")));
  EXPECT_EQ(derive({good, "--flops_budget=-1"}), 2);
  EXPECT_THAT(err_, HasSubstr("--flops_budget"));
  EXPECT_EQ(derive({good, "--size_budget=nan"}), 2);
  EXPECT_THAT(err_, HasSubstr("--size_budget"));
  EXPECT_EQ(derive({good, "--flops_budget=1e13"}), 2);
  EXPECT_THAT(err_, HasSubstr("flops_budget 1e+13"));
  EXPECT_EQ(derive({good, "--size_budget=0.001"}), 2);
  EXPECT_THAT(err_,
              HasSubstr("keeps the budget of 1000 parameters; the least"));
  EXPECT_EQ(derive({"--reduce_weight=low.npy", "--flops_budget=500"}), 3);
  EXPECT_THAT(err_, HasSubstr("reduction cell: no node is fed"));
  EXPECT_FALSE(AnythingWritten());
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
