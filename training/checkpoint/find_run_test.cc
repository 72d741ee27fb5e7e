#include "training/checkpoint/find_run.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "tests/status_matchers.h"
#include "training/checkpoint/checkpoint_list.h"
#include "training/checkpoint/envelope.h"
#include "training/checkpoint/run_lock.h"

namespace fairdarts {
namespace {

namespace fs = std::filesystem;

using ::testing::HasSubstr;

class FindRunTest : public testing::Test {
 protected:
  FindRunTest() : log_(said_, said_, /*terminal=*/false, /*columns=*/80) {
    options_.runs_folder = absl::StrCat(
        testing::TempDir(), "/",
        testing::UnitTest::GetInstance()->current_test_info()->name());
    options_.finished_file = "done";
    fs::create_directories(options_.runs_folder);
  }

  std::string Run(absl::string_view name) const {
    return absl::StrCat(options_.runs_folder, "/", name);
  }

  // A run's checkpoint that was written `age` seconds ago.
  std::string Checkpoint(absl::string_view run, int64_t step, int age,
                         RunKind kind = RunKind::kSearch) {
    const std::string path = absl::StrCat(Run(run), "/", kCheckpointsFolder,
                                          "/", CheckpointName(step));
    fs::create_directories(fs::path(path).parent_path());
    EXPECT_THAT(WriteFileAtomic(path, SealCheckpoint(kind, {}, {})), IsOk());
    fs::last_write_time(
        path, fs::file_time_type::clock::now() - std::chrono::seconds(age));
    return path;
  }

  absl::StatusOr<absl::optional<ResumePoint>> Find(absl::string_view resume) {
    return FindRun(resume, options_, log_);
  }

  FindRunOptions options_;
  std::ostringstream said_;
  RunLog log_;
};

TEST_F(FindRunTest, AutoTakesTheNewestUnfinishedRunOfItsKind) {
  Checkpoint("z-oldest", 9, 400);
  Checkpoint("middle", 1, 300);
  Checkpoint("finished", 2, 200);
  std::ofstream(Run("finished/done")) << "x";
  Checkpoint("training", 3, 100, RunKind::kTrain);
  fs::create_directories(Run("without"));
  const auto found = Find("auto");
  ASSERT_THAT(found, IsOk());
  ASSERT_TRUE(found->has_value());
  EXPECT_EQ((*found)->run_folder, Run("middle"));
  EXPECT_EQ((*found)->checkpoint, "");
  EXPECT_EQ(said_.str(), "");
}

TEST_F(FindRunTest, AutoBeginsAnewWhereNothingIs) {
  Checkpoint("training", 3, 100, RunKind::kTrain);
  const auto found = Find("auto");
  ASSERT_THAT(found, IsOk());
  EXPECT_FALSE(found->has_value());
  EXPECT_THAT(said_.str(), HasSubstr("found no unfinished search"));
  options_.runs_folder = Run("absent");
  options_.kind = RunKind::kTrain;
  EXPECT_FALSE(Find("auto")->has_value());
  EXPECT_THAT(said_.str(), HasSubstr("found no unfinished training"));
}

TEST_F(FindRunTest, AutoPassesOverARunThatGoesOn) {
  Checkpoint("idle", 1, 200);
  Checkpoint("running", 1, 100);
  const auto lock = RunLock::Acquire(Run("running"));
  ASSERT_THAT(lock, IsOk());
  const auto found = Find("auto");
  ASSERT_THAT(found, IsOk());
  EXPECT_EQ((*found)->run_folder, Run("idle"));
  EXPECT_THAT(said_.str(), HasSubstr("another process is running it"));
  EXPECT_THAT(RunLock::Acquire(Run("running")),
              StatusIs(absl::StatusCode::kInvalidArgument, Run("running")));
}

TEST_F(FindRunTest, ALockGoesWithItsHolder) {
  Checkpoint("run", 1, 100);
  { ASSERT_THAT(RunLock::Acquire(Run("run")), IsOk()); }
  EXPECT_THAT(RunLock::Acquire(Run("run")), IsOk());
  EXPECT_THAT(RunLock::Acquire(Run("absent")),
              ExitCodeIs(ExitCode::kEnvironment));
}

TEST_F(FindRunTest, ADamagedCheckpointDoesNotHideItsRun) {
  Checkpoint("run", 1, 200);
  const std::string damaged = Checkpoint("run", 2, 100);
  ASSERT_THAT(WriteFileAtomic(damaged, "x"), IsOk());
  EXPECT_EQ((*Find("auto"))->run_folder, Run("run"));
}

TEST_F(FindRunTest, APathIsARunFolderOrACheckpointInOne) {
  const std::string path = Checkpoint("run", 1, 0);
  auto found = Find(Run("run"));
  ASSERT_THAT(found, IsOk());
  EXPECT_EQ((*found)->run_folder, Run("run"));
  EXPECT_EQ((*found)->checkpoint, "");
  EXPECT_EQ((*Find(absl::StrCat(Run("run"), "/")))->run_folder, Run("run"));
  for (const char* const end : {"", "/"}) {
    found = Find(absl::StrCat(Run("run"), "/", kCheckpointsFolder, end));
    ASSERT_THAT(found, IsOk());
    EXPECT_EQ((*found)->run_folder, Run("run"));
    EXPECT_EQ((*found)->checkpoint, "");
  }
  found = Find(path);
  ASSERT_THAT(found, IsOk());
  EXPECT_EQ((*found)->run_folder, Run("run"));
  EXPECT_EQ((*found)->checkpoint, path);
}

TEST_F(FindRunTest, OtherPathsAreRefusedWithWhatTheyAre) {
  EXPECT_THAT(Find(Run("absent")),
              StatusIs(absl::StatusCode::kInvalidArgument, "is not there"));
  fs::create_directories(Run("empty/checkpoints"));
  EXPECT_THAT(
      Find(Run("empty/checkpoints")),
      StatusIs(absl::StatusCode::kInvalidArgument, "has no checkpoint"));
  EXPECT_THAT(Find(Run("empty")), StatusIs(absl::StatusCode::kInvalidArgument,
                                           "has no checkpoint"));

  const std::string train = Checkpoint("t", 1, 0, RunKind::kTrain);
  const auto kind = Find(train);
  EXPECT_THAT(kind, ExitCodeIs(ExitCode::kModelFile));
  EXPECT_THAT(kind, StatusIs(absl::StatusCode::kFailedPrecondition,
                             "is a checkpoint of 'train'"));

  const std::string alone = Run("alone.safetensors");
  fs::copy_file(Checkpoint("run", 1, 0), alone);
  EXPECT_THAT(Find(alone), StatusIs(absl::StatusCode::kInvalidArgument,
                                    "must lie in RUN/checkpoints"));
}

TEST_F(FindRunTest, FilesOfTorchSaveAreRefusedWithWhatTheyLack) {
  std::ofstream(Run("zip.tar")) << "PK\x03\x04 and more";
  std::ofstream(Run("legacy.tar")) << "\x80\x02 and more";
  for (const char* name : {"zip.tar", "legacy.tar"}) {
    options_.kind = RunKind::kSearch;
    auto found = Find(Run(name));
    EXPECT_THAT(found, ExitCodeIs(ExitCode::kModelFile));
    EXPECT_THAT(std::string(found.status().message()),
                HasSubstr("is a file of torch.save"));
    EXPECT_THAT(std::string(found.status().message()),
                HasSubstr("lacks the network's weights"));
    options_.kind = RunKind::kTrain;
    found = Find(Run(name));
    EXPECT_THAT(std::string(found.status().message()),
                HasSubstr("lacks the position in the data"));
  }
}

}  // namespace
}  // namespace fairdarts
