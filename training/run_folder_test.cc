#include "training/run_folder.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fairdarts {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class RunFolderTest : public testing::Test {
 protected:
  RunFolderTest() {
    std::string pattern = testing::TempDir() + "/runs_XXXXXX";
    parent_ = std::string(mkdtemp(pattern.data())) + "/runs";
  }

  std::string Created(absl::string_view name) const {
    const absl::StatusOr<RunFolder> folder =
        RunFolder::Create(parent_, name, now_);
    EXPECT_TRUE(folder.ok()) << folder.status().ToString();
    return folder.ok() ? folder->path() : "";
  }

  std::string parent_;
  const absl::Time now_ = absl::FromCivil(
      absl::CivilSecond(2026, 3, 4, 5, 6, 7), absl::LocalTimeZone());
};

TEST_F(RunFolderTest, NamedByNameAndTimeAndNeverTwice) {
  EXPECT_EQ(Created("search"), parent_ + "/search-20260304-050607");
  EXPECT_EQ(Created("search"), parent_ + "/search-20260304-050607-2");
  EXPECT_EQ(Created("search"), parent_ + "/search-20260304-050607-3");
  EXPECT_EQ(Created("other"), parent_ + "/other-20260304-050607");
}

TEST_F(RunFolderTest, EvenAFileKeepsItsName) {
  std::filesystem::create_directories(parent_);
  std::ofstream(parent_ + "/search-20260304-050607") << "mine";
  EXPECT_THAT(Created("search"), EndsWith("-2"));
  EXPECT_EQ(ReadFile(parent_ + "/search-20260304-050607").value(), "mine");
}

TEST_F(RunFolderTest, WritesFilesAndTheirFolders) {
  const RunFolder folder = *RunFolder::Create(parent_, "search", now_);
  ASSERT_TRUE(folder.Write("normal/history.json", "one").ok());
  ASSERT_TRUE(folder.Write("normal/history.json", "two").ok());
  EXPECT_EQ(ReadFile(folder.File("normal/history.json")).value(), "two");
}

TEST_F(RunFolderTest, RefusesAPlaceThatCannotBeWritten) {
  std::ofstream(parent_) << "a file";
  for (const std::string& parent :
       {parent_, parent_ + "/below", std::string("/proc/runs")}) {
    const absl::Status status =
        RunFolder::Create(parent, "search", now_).status();
    EXPECT_EQ(ExitCodeOf(status), ExitCode::kEnvironment);
    EXPECT_THAT(std::string(status.message()), StartsWith(parent));
    EXPECT_THAT(std::string(status.message()), HasSubstr("cannot be made"));
  }
  EXPECT_EQ(ReadFile(parent_).value(), "a file");
}

TEST_F(RunFolderTest, RefusesToWriteWhereAFileIsInTheWay) {
  const RunFolder folder = *RunFolder::Create(parent_, "search", now_);
  ASSERT_TRUE(folder.Write("normal", "a file").ok());
  EXPECT_EQ(ExitCodeOf(folder.Write("normal/x", "")), ExitCode::kEnvironment);
}

TEST_F(RunFolderTest, RefusesNamesThatAreNone) {
  for (const std::string& name :
       {std::string(), std::string("a/b"), std::string(".."),
        std::string(".hidden"), std::string("a\nb"), std::string(101, 'a')}) {
    EXPECT_EQ(ExitCodeOf(CheckRunName(name)), ExitCode::kUsage) << name;
    EXPECT_EQ(ExitCodeOf(RunFolder::Create(parent_, name, now_).status()),
              ExitCode::kUsage);
  }
  EXPECT_FALSE(std::filesystem::exists(parent_));
  EXPECT_TRUE(CheckRunName("EXP-lr_0005_alw_10").ok());
  EXPECT_TRUE(CheckRunName(std::string(100, 'a')).ok());
}

TEST_F(RunFolderTest, RemovesAFileOrFindsNone) {
  const absl::StatusOr<RunFolder> folder = RunFolder::Open(Created("remove"));
  ASSERT_TRUE(folder.ok()) << folder.status().ToString();
  ASSERT_TRUE(folder->Write("a.txt", "a").ok());
  EXPECT_TRUE(folder->Remove("a.txt").ok());
  EXPECT_FALSE(std::filesystem::exists(folder->File("a.txt")));
  EXPECT_TRUE(folder->Remove("a.txt").ok());
  ASSERT_TRUE(folder->Write("full/a.txt", "a").ok());
  EXPECT_EQ(ExitCodeOf(folder->Remove("full")), ExitCode::kEnvironment);
}

TEST_F(RunFolderTest, OpensWhatIsThereOnly) {
  const std::string path = Created("open");
  const absl::StatusOr<RunFolder> opened = RunFolder::Open(path);
  ASSERT_TRUE(opened.ok()) << opened.status().ToString();
  EXPECT_EQ(opened->path(), path);
  EXPECT_EQ(ExitCodeOf(RunFolder::Open(path + "/missing").status()),
            ExitCode::kUsage);
}

}  // namespace
}  // namespace fairdarts
