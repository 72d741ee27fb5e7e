#include "training/studies/study_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "fairdarts/base/status.h"
#include "tests/status_matchers.h"
#include "training/checkpoint/checkpoint_list.h"
#include "training/checkpoint/run_lock.h"
#include "training/run_folder.h"
#include "training/run_log.h"
#include "training/search_files.h"
#include "training/studies/study_plan.h"

namespace fairdarts {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class StudyFolderTest : public ::testing::Test {
 protected:
  StudyFolderTest()
      : runs_(RunFolder::Create(::testing::TempDir(), "runs", absl::Now())
                  ->path()),
        log_(said_, said_, /*terminal=*/false, /*columns=*/80) {}

  // A study whose log was written `age` hours ago.
  RunFolder Make(const std::string& name, int age, bool finished = false) {
    const RunFolder folder = *RunFolder::Create(runs_, name, absl::Now());
    EXPECT_THAT(folder.Write(kStudyRecord, ""), IsOk());
    EXPECT_THAT(folder.Write("log.txt", ""), IsOk());
    std::filesystem::last_write_time(
        folder.File("log.txt"), std::filesystem::file_time_type::clock::now() -
                                    std::chrono::hours(age));
    if (finished) {
      EXPECT_THAT(folder.Write(kStudyRanking, ""), IsOk());
    }
    return folder;
  }

  std::string Find(const std::string& resume) {
    const auto found = FindStudyFolder(resume, runs_, log_);
    EXPECT_THAT(found, IsOk());
    return found.ok() && found->has_value() ? **found : "";
  }

  const std::string runs_;
  std::ostringstream said_;
  RunLog log_;
};

TEST_F(StudyFolderTest, AutoIsTheUnfinishedOneWrittenLast) {
  EXPECT_EQ(Find("auto"), "");
  EXPECT_THAT(said_.str(), HasSubstr("found no unfinished study"));
  Make("old", 5);
  const RunFolder newer = Make("newer", 3);
  Make("done", 1, /*finished=*/true);
  const RunFolder other = *RunFolder::Create(runs_, "search", absl::Now());
  ASSERT_THAT(other.Write("log.txt", ""), IsOk());
  EXPECT_EQ(Find("auto"), newer.path());
}

TEST_F(StudyFolderTest, AutoPassesOverWhatIsRunning) {
  const RunFolder idle = Make("idle", 5);
  const RunFolder running = Make("running", 1);
  const auto lock = RunLock::Acquire(running.path());
  ASSERT_THAT(lock, IsOk());
  EXPECT_EQ(Find("auto"), idle.path());
  EXPECT_THAT(said_.str(), HasSubstr("another process is running it"));
}

TEST_F(StudyFolderTest, APathIsAStudysFolder) {
  const RunFolder done = Make("done", 1, /*finished=*/true);
  EXPECT_EQ(Find(done.path()), done.path());
  EXPECT_THAT(FindStudyFolder(runs_, runs_, log_),
              ExitCodeIs(ExitCode::kUsage));
}

TEST_F(StudyFolderTest, ListsTheRunsAndHowFarTheyAre) {
  const auto plan = ParseStudy(R"(
      name: "trial" seed: [ 1, 2, 3 ]
      variant { name: "fair" search { epochs: 3 steps_per_epoch: 5 } }
      variant { name: "chance" random { like: "fair" } })",
                               "trial");
  ASSERT_THAT(plan, IsOk());
  const std::string fresh = ListRuns(*plan, absl::nullopt);
  EXPECT_THAT(fresh, HasSubstr("search 3 x 5 steps, training 5 x 250 steps"));
  EXPECT_THAT(fresh, HasSubstr("random, like fair"));
  EXPECT_THAT(fresh, HasSubstr("in all 3 searches and 6 trainings on "
                               "fashion-mnist"));
  EXPECT_THAT(fresh, Not(HasSubstr("(")));

  const RunFolder folder = Make("trial", 1);
  ASSERT_THAT(
      folder.Write(absl::StrCat("fair/seed-1/search/", kSearchWeights), ""),
      IsOk());
  ASSERT_THAT(
      folder.Write(absl::StrCat("fair/seed-1/train/", kCheckpointsFolder, "/",
                                CheckpointName(7)),
                   ""),
      IsOk());
  ASSERT_THAT(
      folder.Write(absl::StrCat("fair/seed-2/search/", kDivergedFile), ""),
      IsOk());
  const std::string begun = ListRuns(*plan, folder);
  EXPECT_THAT(begun, HasSubstr("search 3 x 5 steps (done), training 5 x 250 "
                               "steps (begun)\n"));
  EXPECT_THAT(begun, HasSubstr("search 3 x 5 steps (diverged), training"));
}

}  // namespace
}  // namespace fairdarts
