#include "training/newest_run.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "training/config.h"
#include "training/train_config.h"

namespace fairdarts {
namespace {

namespace fs = std::filesystem;

class NewestRunTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* const test =
        testing::UnitTest::GetInstance()->current_test_info();
    runs_ = absl::StrCat(testing::TempDir(), "/newest-", test->name());
    fs::remove_all(runs_);
    fs::create_directories(runs_);
  }

  void TearDown() override { fs::remove_all(runs_); }

  std::string Path(const std::string& name) const {
    return absl::StrCat(runs_, "/", name);
  }

  void Write(const std::string& name, const std::string& text) const {
    fs::create_directories(fs::path(Path(name)).parent_path());
    std::ofstream(Path(name)) << text;
  }

  void AddSearch(const std::string& name, bool finished = true) const {
    Write(name + "/config.textproto", SearchConfigText(SearchConfig()));
    if (finished) Write(name + "/genotype.textproto", "form: PAIRS");
  }

  void AddTraining(const std::string& name, const std::string& weights) const {
    Write(name + "/config.textproto", TrainConfigText(TrainConfig()));
    if (!weights.empty()) Write(name + "/" + weights, "weights");
  }

  // Without the folder in front; "" for none.
  std::string Newest(RunKind kind) const {
    const auto run =
        kind == RunKind::kSearch
            ? NewestRun(runs_, kind, {"genotype.textproto"})
            : NewestRun(runs_, kind, {"best.safetensors", "last.safetensors"});
    return run.has_value() ? fs::path(*run).filename().string() : "";
  }

  std::string runs_;
};

TEST_F(NewestRunTest, TheTimeInTheNameDecides) {
  AddSearch("z-20260101-000000");
  AddSearch("search-20260102-235959");
  AddSearch("a-b-20260102-120000");
  EXPECT_EQ(Newest(RunKind::kSearch), "search-20260102-235959");
}

TEST_F(NewestRunTest, RunsOfOneSecondAreInTheOrderOfTheirNumbers) {
  AddSearch("search-20260102-235959-10");
  AddSearch("search-20260102-235959-9");
  AddSearch("search-20260102-235959");
  EXPECT_EQ(Newest(RunKind::kSearch), "search-20260102-235959-10");
}

TEST_F(NewestRunTest, AFolderWithoutATimeCountsByItsLastChange) {
  AddSearch("search-20260102-000000");
  AddSearch("renamed");
  const auto change = [&](int64_t seconds) {
    const timespec times[2] = {{seconds, 0}, {seconds, 0}};
    ASSERT_EQ(utimensat(AT_FDCWD, Path("renamed").c_str(), times, 0), 0);
  };
  change(4'000'000'000);  // in 2096
  EXPECT_EQ(Newest(RunKind::kSearch), "renamed");
  change(1'000'000'000);  // in 2001
  EXPECT_EQ(Newest(RunKind::kSearch), "search-20260102-000000");
}

TEST_F(NewestRunTest, KindsAreToldApart) {
  AddSearch("run-20260101-000000");
  AddTraining("run-20260102-000000", "best.safetensors");
  Write("run-20260102-000000/genotype.textproto", "form: PAIRS");
  EXPECT_EQ(Newest(RunKind::kSearch), "run-20260101-000000");
  EXPECT_EQ(Newest(RunKind::kTrain), "run-20260102-000000");
}

TEST_F(NewestRunTest, WhatLacksItsFilesIsPassedOver) {
  AddSearch("search-20260101-000000");
  AddSearch("search-20260102-000000", /*finished=*/false);
  EXPECT_EQ(Newest(RunKind::kSearch), "search-20260101-000000");
  AddTraining("train-20260103-000000", "last.safetensors");
  AddTraining("train-20260104-000000", "");
  EXPECT_EQ(Newest(RunKind::kTrain), "train-20260103-000000");
}

TEST_F(NewestRunTest, WhateverElseLiesThereIsPassedOver) {
  AddSearch("search-20260101-000000");
  Write("search-20260105-000000", "a file");
  // Without a record, with one of another program, with one that only speaks
  // of the message further down, and with one that is no file.
  Write("derive-20260105-000001/genotype.textproto", "form: PAIRS");
  Write("x-20260105-000002/genotype.textproto", "form: PAIRS");
  Write("x-20260105-000002/config.textproto", "# proto-message: other\n");
  Write("x-20260105-000003/genotype.textproto", "form: PAIRS");
  Write("x-20260105-000003/config.textproto",
        "save: \"x\"\n# proto-message: fairdarts.SearchConfig\n");
  Write("x-20260105-000004/genotype.textproto", "form: PAIRS");
  ASSERT_EQ(mkfifo(Path("x-20260105-000004/config.textproto").c_str(), 0666),
            0);
  fs::create_symlink("nowhere", Path("search-20260105-000005"));
  // Not a time: it counts by its last change, and lacks its record anyway.
  Write("x-20261399-250000/genotype.textproto", "form: PAIRS");
  EXPECT_EQ(Newest(RunKind::kSearch), "search-20260101-000000");
}

TEST_F(NewestRunTest, NoneWhereThereAreNoRuns) {
  EXPECT_EQ(Newest(RunKind::kSearch), "");
  EXPECT_FALSE(NewestRun(Path("no-such-folder"), RunKind::kSearch,
                         {"genotype.textproto"})
                   .has_value());
}

}  // namespace
}  // namespace fairdarts
