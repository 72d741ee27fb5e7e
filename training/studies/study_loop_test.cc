#include "training/studies/study_loop.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <map>
#include <ostream>
#include <sstream>
#include <streambuf>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "tests/status_matchers.h"
#include "training/checkpoint/stop_signals.h"
#include "training/data/dataset.h"
#include "training/data/stripes.h"
#include "training/run_folder.h"
#include "training/run_log.h"
#include "training/studies/study_plan.h"

namespace fairdarts {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// What a search finds in so few steps is of no matter: `fair` keeps whatever
// leads, no weight of `empty` comes near its threshold, and `wild` steps out
// of the numbers.
constexpr char kStudy[] = R"(
name: "trial"
seed: [ 1, 2, 3 ]
search {
  epochs: 2 steps_per_epoch: 0 batch_size: 6 train_portion: 0.5
  init_channels: 2 layers: 3 op_threshold: 0.1
}
train {
  epochs: 2 steps_per_epoch: 0 batch_size: 6 valid_portion: 0.2
  init_channels: 2 layers: 3
}
variant { name: "fair" search {} }
variant { name: "empty" search { op_threshold: 0.999 flops_budget: 500 } }
variant { name: "wild" search { learning_rate: 1e30 } }
variant { name: "chance" random { like: "fair" percent: 20 } }
variant { name: "chance-of-empty" random { like: "empty" } }
)";

// Raises SIGTERM when it has been written so many lines: as reports come every
// step, at any step.
class RaisingBuffer : public std::streambuf {
 public:
  explicit RaisingBuffer(int64_t lines) : lines_left_(lines) {}

 protected:
  int overflow(int c) override {
    if (c == '\n' && --lines_left_ == 0) std::raise(SIGTERM);
    return c;
  }

 private:
  int64_t lines_left_;
};

constexpr int64_t kNever = -1;

Dataset Images(int samples) {
  Dataset dataset = Stripes(samples);
  dataset.name = "fashion-mnist";
  return dataset;
}

class StudyLoopTest : public ::testing::Test {
 protected:
  StudyLoopTest() : train_(Images(60)) { at::set_num_threads(1); }

  static std::string NewFolder() {
    return RunFolder::Create(::testing::TempDir(), "study", absl::Now())
        ->path();
  }

  // Runs the study of `text` in a folder, stopped after `lines` lines.
  absl::StatusOr<std::vector<RunRow>> Run(const std::string& folder,
                                          int64_t lines = kNever,
                                          const std::string& text = kStudy) {
    const absl::StatusOr<StudyPlan> plan = ParseStudy(text, "study");
    EXPECT_THAT(plan, IsOk());
    StudyMachine machine;
    machine.threads = 1;
    machine.report_freq = 1;
    StudyData data;
    data.train = &train_;
    data.load_test = [&]() -> absl::StatusOr<Dataset> {
      ++tests_loaded_;
      return Images(40);
    };
    RaisingBuffer buffer(lines);
    std::ostream out(&buffer);
    RunLog log(out, out, /*terminal=*/false, /*columns=*/80);
    StopSignals signals;
    return RunStudy(*plan, machine, data, *RunFolder::Open(folder), signals,
                    log);
  }

  const Dataset train_;
  int tests_loaded_ = 0;
};

std::string Contents(const std::string& folder, const std::string& name) {
  const auto contents = ReadFile(absl::StrCat(folder, "/", name));
  EXPECT_THAT(contents, IsOk()) << name;
  return contents.ok() ? *contents : "";
}

// Every file below a folder, by its path in it, but for what the clock says
// and how often it was stopped.
std::map<std::string, std::string> Files(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name =
        std::filesystem::relative(entry.path(), folder).string();
    if (!entry.is_regular_file() || absl::EndsWith(name, "timing.csv") ||
        absl::EndsWith(name, "log.txt") ||
        absl::StrContains(name, "/checkpoints/")) {
      continue;
    }
    files[name] = Contents(folder, name);
  }
  return files;
}

TEST_F(StudyLoopTest, EveryRunIsToldInItsRow) {
  const std::string folder = NewFolder();
  const auto rows = Run(folder);
  ASSERT_THAT(rows, IsOk());
  ASSERT_EQ(rows->size(), 15);
  EXPECT_EQ(tests_loaded_, 1);
  int tested = 0;
  for (const RunRow& row : *rows) {
    SCOPED_TRACE(absl::StrCat(row.variant, " ", row.seed));
    if (row.variant == "fair" || row.variant == "chance") {
      EXPECT_EQ(row.state, RunState::kTrained);
      ASSERT_TRUE(row.training.has_value());
      EXPECT_EQ(row.search.has_value(), row.variant == "fair");
      if (row.test.has_value()) ++tested;
    } else {
      EXPECT_FALSE(row.cost.has_value());
      EXPECT_FALSE(row.test.has_value());
      EXPECT_EQ(row.state, row.variant == "empty"  ? RunState::kNoNetwork
                           : row.variant == "wild" ? RunState::kDiverged
                                                   : RunState::kNoMatch);
    }
  }
  EXPECT_EQ(tested, 2);
  // Of a size with what it is to be like.
  const RunRow& fair = rows->at(0);
  const RunRow& chance = rows->at(3);
  ASSERT_EQ(fair.variant, "fair");
  ASSERT_EQ(chance.variant, "chance");
  EXPECT_NEAR(chance.cost->macs, fair.cost->macs, 0.2 * fair.cost->macs);

  EXPECT_THAT(Contents(folder, "table.md"), HasSubstr("| fair | 3 | 3 |"));
  EXPECT_THAT(Contents(folder, "table.md"), HasSubstr("| empty | 3 | 0 |"));
  EXPECT_THAT(Contents(folder, "ranked.md"), HasSubstr("| 6 | "));
  EXPECT_THAT(Contents(folder, "alphas.svg"), StartsWith("<svg"));
  // Folders of ordinary runs.
  const std::map<std::string, std::string> files = Files(folder);
  for (const char* const name :
       {"fair/seed-2/search/config.textproto", "fair/seed-2/search/history.csv",
        "fair/seed-2/search/weights.safetensors",
        "fair/seed-2/train/config.textproto",
        "fair/seed-2/train/best.safetensors", "fair/seed-2/train/metrics.csv",
        "fair/seed-2/train/genotype.txt", "chance/seed-3/train/result.json"}) {
    EXPECT_EQ(files.count(name), 1) << name;
  }
}

TEST_F(StudyLoopTest, StoppedAndTakenUpAgainItLeavesTheSame) {
  const std::string whole = NewFolder();
  ASSERT_THAT(Run(whole), IsOk());
  tests_loaded_ = 0;
  const std::string stopped = NewFolder();
  // Lines to the first stop, and how many more to each further one, which must
  // get past what the finished runs say.
  constexpr int64_t kLines = 37;
  constexpr int64_t kMoreLines = 11;
  int sittings = 0;
  for (;; ++sittings) {
    ASSERT_LT(sittings, 100);
    const absl::Status status =
        Run(stopped, kLines + kMoreLines * sittings).status();
    if (status.ok()) break;
    ASSERT_THAT(status, ExitCodeIs(ExitCode::kTerminated));
    ASSERT_THAT(std::string(status.message()), HasSubstr("stopped by SIGTERM"));
  }
  EXPECT_GT(sittings, 3);
  EXPECT_EQ(tests_loaded_, 1);
  const auto expected = Files(whole);
  const auto files = Files(stopped);
  EXPECT_EQ(files.size(), expected.size());
  for (const auto& [name, contents] : expected) {
    const auto found = files.find(name);
    ASSERT_NE(found, files.end()) << name;
    EXPECT_TRUE(found->second == contents) << name;
  }

  // A finished study is only read; the test images are not even loaded.
  ASSERT_THAT(Run(stopped), IsOk());
  EXPECT_EQ(tests_loaded_, 1);
  EXPECT_TRUE(Files(stopped) == expected);
}

TEST_F(StudyLoopTest, RefusesRunsOfAnotherStudy) {
  const std::string folder = NewFolder();
  constexpr int64_t kLines = 5;
  ASSERT_THAT(Run(folder, kLines), ExitCodeIs(ExitCode::kTerminated));
  const std::string other = absl::StrReplaceAll(
      kStudy, {{"name: \"fair\" search {}",
                "name: \"fair\" search { momentum: 0.5 }"}});
  const absl::Status status = Run(folder, kNever, other).status();
  EXPECT_THAT(status, ExitCodeIs(ExitCode::kUsage));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("fair, seed 1: momentum 0.5: the run that is resumed "
                        "has 0.9"));
}

TEST_F(StudyLoopTest, WhatNoDrawCanBeIsSaidBeforeAnythingIsRun) {
  const std::string folder = NewFolder();
  const std::string impossible = absl::StrReplaceAll(
      kStudy, {{"random { like: \"empty\" }",
                "random { num_identity: 8 flops_threshold: 1e6 }"}});
  const absl::Status status = Run(folder, kNever, impossible).status();
  EXPECT_THAT(status, ExitCodeIs(ExitCode::kUsage));
  EXPECT_THAT(std::string(status.message()),
              StartsWith("variant chance-of-empty: "));
  EXPECT_TRUE(Files(folder).empty());
}

TEST_F(StudyLoopTest, WhatTheImagesDoNotSufficeForIsSaidBeforeAnythingIsRun) {
  struct {
    const char* from;
    const char* to;
    const char* complaint;
  } const cases[] = {
      {"op_threshold: 0.999", "train_portion: 0.001",
       "variant empty: search: train_portion 0.001 leaves the weights none"},
      {"op_threshold: 0.999", "batch_size: 31",
       "variant empty: search: batch_size 31 is larger than the 30"},
      {"batch_size: 6 valid", "batch_size: 49 valid",
       "train: batch_size 49 is larger than the 48 samples to train on"},
      {"valid_portion: 0.2", "valid_portion: 0.999",
       "train: valid_portion 0.999: holds out all 60 images"},
      {"valid_portion: 0.2", "valid_portion: 0.001",
       "train: valid_portion 0.001: holds out none of the 60 images"},
      {"batch_size: 6 valid", "batch_size: 1 auxiliary: true valid",
       "train: batch_size 1: the auxiliary head"},
  };
  for (const auto& c : cases) {
    const std::string folder = NewFolder();
    const std::string text = absl::StrReplaceAll(kStudy, {{c.from, c.to}});
    ASSERT_NE(text, kStudy);
    const absl::Status status = Run(folder, kNever, text).status();
    EXPECT_THAT(status, ExitCodeIs(ExitCode::kUsage)) << c.to;
    EXPECT_THAT(std::string(status.message()), StartsWith(c.complaint));
    EXPECT_TRUE(Files(folder).empty());
  }
}

}  // namespace
}  // namespace fairdarts
