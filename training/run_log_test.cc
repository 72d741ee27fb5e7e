#include "training/run_log.h"

#include <cstdio>
#include <sstream>

#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fairdarts {
namespace {

constexpr char kClear[] = "\r\x1b[K";

TEST(RunLogTest, LinesGoToTheScreenAndToTheFile) {
  const std::string path = testing::TempDir() + "/lines.txt";
  std::remove(path.c_str());
  std::ostringstream out, err;
  RunLog log(out, err, /*terminal=*/false, 80);
  log.Info("before");
  ASSERT_TRUE(log.OpenFile(path).ok());
  log.Info("a result");
  log.Error("a fault");
  log.FileOnly("a detail");
  log.Transient("now");
  EXPECT_EQ(out.str(), "before\na result\n");
  EXPECT_EQ(err.str(), "a fault\n");
  EXPECT_EQ(ReadFile(path).value(), "before\na result\na fault\na detail\n");
}

TEST(RunLogTest, TheFileGrows) {
  const std::string path = testing::TempDir() + "/grows.txt";
  std::remove(path.c_str());
  for (const char* const line : {"one", "two"}) {
    std::ostringstream out, err;
    RunLog log(out, err, false, 80);
    ASSERT_TRUE(log.OpenFile(path).ok());
    log.Info(line);
  }
  EXPECT_EQ(ReadFile(path).value(), "one\ntwo\n");
}

TEST(RunLogTest, TransientLinesWriteOverThemselves) {
  std::ostringstream out, err;
  {
    RunLog log(out, err, /*terminal=*/true, 10);
    log.Transient("step 1");
    log.Transient("0123456789");  // one column stays free
    EXPECT_EQ(out.str(), std::string(kClear) + "step 1" + kClear + "012345678");
    out.str("");
    log.Info("line");
    EXPECT_EQ(out.str(), std::string(kClear) + "line\n");
    log.Transient("step 2");
    out.str("");
  }
  EXPECT_EQ(out.str(), kClear);  // nothing stays behind
  EXPECT_EQ(err.str(), "");
}

TEST(RunLogTest, SaysWhichFileCannotBeOpened) {
  std::ostringstream out, err;
  RunLog log(out, err, false, 80);
  const absl::Status status = log.OpenFile("/no/such/folder/log.txt");
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kEnvironment);
  EXPECT_THAT(std::string(status.message()),
              testing::StartsWith("/no/such/folder/log.txt: "));
}

TEST(RunLogTest, SaysOnceThatTheDiskIsFull) {
  std::ostringstream out, err;
  RunLog log(out, err, false, 80);
  ASSERT_TRUE(log.OpenFile("/dev/full").ok());
  log.Info("one");
  log.Info("two");
  EXPECT_EQ(err.str(), "log.txt cannot be written any more\n");
  EXPECT_EQ(out.str(), "one\ntwo\n");
}

}  // namespace
}  // namespace fairdarts
