#include "training/checkpoint/checkpoint_folder.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "tests/status_matchers.h"
#include "training/checkpoint/checkpoint_file.h"
#include "training/checkpoint/checkpoint_list.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CheckpointFolderTest : public testing::Test {
 protected:
  CheckpointFolderTest()
      : run_(absl::StrCat(
            testing::TempDir(), "/",
            testing::UnitTest::GetInstance()->current_test_info()->name())),
        folder_(run_, RunKind::kSearch),
        log_(said_, said_, /*terminal=*/false, /*columns=*/80) {
    mkdir(run_.c_str(), 0755);
  }

  absl::Status Save(int64_t step, bool is_best = false) {
    Snapshot snapshot(RunKind::kSearch);
    snapshot.PutInteger("step", step);
    snapshot.PutTensor("t", torch::full({3}, static_cast<float>(step)));
    return folder_.Save(snapshot, step, is_best);
  }

  std::set<std::string> Files() const {
    std::set<std::string> names;
    for (const auto& entry :
         std::filesystem::directory_iterator(run_ + "/checkpoints")) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }

  std::string File(absl::string_view name) const {
    return absl::StrCat(run_, "/checkpoints/", name);
  }

  const std::string run_;
  const CheckpointFolder folder_;
  std::ostringstream said_;
  RunLog log_;
};

TEST_F(CheckpointFolderTest, TheLastThreeAndTheBestStay) {
  for (const int step : {5, 10, 15, 20, 25}) {
    ASSERT_THAT(Save(step, /*is_best=*/step == 10), IsOk());
  }
  EXPECT_THAT(
      Files(),
      ElementsAre("best.safetensors", "step-00000015.safetensors",
                  "step-00000020.safetensors", "step-00000025.safetensors"));
  const auto best = ReadCheckpoint(File("best.safetensors"), RunKind::kSearch);
  ASSERT_THAT(best, IsOk());
  EXPECT_THAT(best->Integer("step"), IsOkAndHolds(10));
  const auto latest = folder_.Latest(log_);
  ASSERT_THAT(latest, IsOk());
  EXPECT_EQ(latest->step, 25);
  EXPECT_EQ(latest->path, File("step-00000025.safetensors"));
  EXPECT_THAT(latest->snapshot.Integer("step"), IsOkAndHolds(25));
  EXPECT_EQ(said_.str(), "");
}

TEST_F(CheckpointFolderTest, GoingOnFurtherBackLeavesTheLaterSteps) {
  for (const int step : {5, 10, 15}) ASSERT_THAT(Save(step), IsOk());
  // Taken up again at 5, stopped at 7.
  ASSERT_THAT(Save(7), IsOk());
  EXPECT_THAT(Files(), ElementsAre("step-00000005.safetensors",
                                   "step-00000007.safetensors"));
  // The same step again takes its own place.
  ASSERT_THAT(Save(7), IsOk());
  EXPECT_EQ(Files().size(), 2);
}

TEST_F(CheckpointFolderTest, ADamagedOneIsPassedOver) {
  for (const int step : {1, 2, 3}) ASSERT_THAT(Save(step), IsOk());
  const auto bytes = ReadFile(File("step-00000003.safetensors"));
  ASSERT_THAT(bytes, IsOk());
  ASSERT_THAT(WriteFileAtomic(File("step-00000003.safetensors"),
                              bytes->substr(0, bytes->size() - 1)),
              IsOk());
  const auto latest = folder_.Latest(log_);
  ASSERT_THAT(latest, IsOk());
  EXPECT_EQ(latest->step, 2);
  EXPECT_THAT(said_.str(), HasSubstr("step-00000003.safetensors: is damaged"));

  for (const int step : {1, 2}) {
    ASSERT_THAT(WriteFileAtomic(File(CheckpointName(step)), ""), IsOk());
  }
  const auto none = folder_.Latest(log_);
  EXPECT_THAT(none, ExitCodeIs(ExitCode::kModelFile));
  EXPECT_THAT(std::string(none.status().message()),
              HasSubstr("no checkpoint that reads well"));
}

TEST_F(CheckpointFolderTest, AnotherKindIsNotPassedOver) {
  ASSERT_THAT(Save(1), IsOk());
  ASSERT_THAT(
      WriteCheckpoint(File(CheckpointName(2)), Snapshot(RunKind::kTrain)),
      IsOk());
  EXPECT_THAT(folder_.Latest(log_),
              StatusIs(absl::StatusCode::kFailedPrecondition, "'train'"));
}

TEST_F(CheckpointFolderTest, WhatIsNoCheckpointStays) {
  ASSERT_THAT(Save(1), IsOk());
  for (const char* name :
       {"step-3.safetensors", "step-0000000x.safetensors",
        "step-+0000009.safetensors", "step-00000009.safetensors.bak",
        "step-00000004.safetensors.77.tmp"}) {
    std::ofstream(File(name)) << "x";
  }
  EXPECT_EQ(folder_.Latest(log_)->step, 1);
  ASSERT_THAT(Save(2), IsOk());
  // All but what a killed writer leaves.
  EXPECT_EQ(Files().size(), 6);
  EXPECT_EQ(Files().count("step-00000004.safetensors.77.tmp"), 0);
}

TEST_F(CheckpointFolderTest, NamesAreInTheOrderOfSteps) {
  EXPECT_EQ(CheckpointName(0), "step-00000000.safetensors");
  ASSERT_THAT(Save(99999999), IsOk());
  ASSERT_THAT(Save(100000000), IsOk());
  EXPECT_EQ(folder_.Latest(log_)->step, 100000000);
}

TEST_F(CheckpointFolderTest, AFolderThatCannotBeMadeIsAnEnvironmentError) {
  std::ofstream(run_ + "/checkpoints") << "a file";
  EXPECT_THAT(Save(1), ExitCodeIs(ExitCode::kEnvironment));
}

}  // namespace
}  // namespace fairdarts
