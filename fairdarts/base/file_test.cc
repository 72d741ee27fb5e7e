#include "fairdarts/base/file.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

// A folder of its own for each test.
class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = absl::StrCat(
        testing::TempDir(), "/",
        testing::UnitTest::GetInstance()->current_test_info()->name());
    ASSERT_EQ(mkdir(folder_.c_str(), 0755), 0) << folder_;
  }

  std::string Path(absl::string_view name) const {
    return absl::StrCat(folder_, "/", name);
  }

  std::set<std::string> Files() const {
    std::set<std::string> names;
    DIR* const directory = opendir(folder_.c_str());
    while (const dirent* entry = readdir(directory)) {
      if (entry->d_name[0] != '.') names.insert(entry->d_name);
    }
    closedir(directory);
    return names;
  }

  std::string folder_;
};

TEST_F(FileTest, ReadsWhatItWrote) {
  const std::string contents("a\0b\nc\xFF", 6);
  ASSERT_THAT(WriteFileAtomic(Path("f"), contents), IsOk());
  EXPECT_THAT(ReadFile(Path("f")), IsOkAndHolds(contents));
  ASSERT_THAT(WriteFileAtomic(Path("f"), ""), IsOk());
  EXPECT_THAT(ReadFile(Path("f")), IsOkAndHolds(""));
}

TEST_F(FileTest, ReplacesTheWholeFileAndLeavesNothingBeside) {
  ASSERT_THAT(WriteFileAtomic(Path("f"), std::string(100000, 'x')), IsOk());
  struct stat before;
  ASSERT_EQ(stat(Path("f").c_str(), &before), 0);
  ASSERT_THAT(WriteFileAtomic(Path("f"), "new"), IsOk());
  EXPECT_THAT(ReadFile(Path("f")), IsOkAndHolds("new"));
  // Another inode: an open reader of the old file still sees the old bytes.
  struct stat after;
  ASSERT_EQ(stat(Path("f").c_str(), &after), 0);
  EXPECT_NE(before.st_ino, after.st_ino);
  EXPECT_THAT(Files(), ElementsAre("f"));
}

TEST_F(FileTest, AMissingFileIsNotFound) {
  const absl::StatusOr<std::string> contents = ReadFile(Path("missing"));
  EXPECT_THAT(contents, StatusIs(absl::StatusCode::kNotFound, "missing"));
  EXPECT_THAT(contents, ExitCodeIs(ExitCode::kData));
  EXPECT_THAT(std::string(contents.status().message()), StartsWith(folder_));
}

TEST_F(FileTest, TheBoundIsInclusive) {
  ASSERT_THAT(WriteFileAtomic(Path("f"), "12345"), IsOk());
  EXPECT_THAT(ReadFile(Path("f"), 5), IsOkAndHolds("12345"));
  EXPECT_THAT(ReadFile(Path("f"), 4), StatusIs(absl::StatusCode::kDataLoss,
                                               "has 5 bytes, more than the 4"));
}

TEST_F(FileTest, FoldersAndPipesAreNotRead) {
  EXPECT_THAT(ReadFile(folder_),
              StatusIs(absl::StatusCode::kDataLoss, "is not a regular file"));
  // A pipe that nobody writes to would block for ever.
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0644), 0);
  EXPECT_THAT(ReadFile(Path("pipe")),
              StatusIs(absl::StatusCode::kDataLoss, "is not a regular file"));
}

TEST_F(FileTest, AFolderIsNotWrittenOver) {
  ASSERT_EQ(mkdir(Path("sub").c_str(), 0755), 0);
  const absl::Status status = WriteFileAtomic(Path("sub"), "x");
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, "sub"));
  EXPECT_THAT(status, ExitCodeIs(ExitCode::kEnvironment));
  EXPECT_THAT(Files(), ElementsAre("sub"));
}

TEST_F(FileTest, AFolderThatTakesNoFilesIsAnEnvironmentError) {
  ASSERT_THAT(WriteFileAtomic(Path("file"), "x"), IsOk());
  for (const std::string& path :
       {Path("missing/f"), Path("file/f"), std::string("/proc/f")}) {
    const absl::Status status = WriteFileAtomic(path, "x");
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, path));
    EXPECT_THAT(status, ExitCodeIs(ExitCode::kEnvironment));
  }
}

TEST_F(FileTest, AnUnwritableFolderKeepsTheOldFile) {
  ASSERT_THAT(WriteFileAtomic(Path("f"), "old"), IsOk());
  ASSERT_EQ(chmod(folder_.c_str(), 0555), 0);
  if (access(folder_.c_str(), W_OK) == 0) {
    GTEST_SKIP() << "this user may write everywhere";
  }
  EXPECT_THAT(WriteFileAtomic(Path("f"), "new"),
              ExitCodeIs(ExitCode::kEnvironment));
  EXPECT_THAT(ReadFile(Path("f")), IsOkAndHolds("old"));
  ASSERT_EQ(chmod(folder_.c_str(), 0755), 0);
}

}  // namespace
}  // namespace fairdarts
