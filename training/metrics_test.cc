#include "training/metrics.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fairdarts {
namespace {

std::vector<std::string> Lines(const std::string& path) {
  return absl::StrSplit(ReadFile(path).value(), '\n');
}

TEST(MetricsTest, AHeaderAndARowAnEpoch) {
  const std::string path = absl::StrCat(testing::TempDir(), "/metrics.csv");
  absl::StatusOr<MetricsFile> file = MetricsFile::Create(path);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(Lines(path).size(), 2u);  // the last one is empty

  EpochMetrics metrics;
  metrics.learning_rate = 0.05;
  metrics.train_loss = -0.25;
  metrics.train_top1 = 2.0 / 3;
  metrics.undecided = 196;
  metrics.seconds = 12.5;
  ASSERT_TRUE(file->Append(metrics).ok());
  metrics.epoch = 1;
  metrics.alpha_loss = 0.5;
  metrics.alpha_cross_entropy = 0;
  metrics.alpha_zero_one = -0.25;
  metrics.grad_norm = std::nan("");
  metrics.valid_loss = 0.75;
  metrics.valid_top1 = 0.5;
  ASSERT_TRUE(file->Append(metrics).ok());

  EXPECT_THAT(
      Lines(path),
      testing::ElementsAre(
          "epoch,learning_rate,train_loss,train_cross_entropy,train_zero_one,"
          "train_top1,alpha_loss,alpha_cross_entropy,alpha_zero_one,"
          "grad_norm,valid_loss,valid_top1,normal_skips,"
          "reduce_skips,past_threshold,decided,undecided,images_per_second,"
          "seconds",
          "0,0.05,-0.25,0,0,0.6666667,,,,0,,,0,0,0,0,196,0,12.5",
          "1,0.05,-0.25,0,0,0.6666667,0.5,0,-0.25,nan,0.75,0.5,0,0,0,0,196,0,"
          "12.5",
          ""));
}

TEST(MetricsTest, SaysWhereItCannotWrite) {
  const absl::Status status =
      MetricsFile::Create("/no/such/folder/metrics.csv").status();
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kEnvironment);
  EXPECT_THAT(std::string(status.message()),
              testing::HasSubstr("/no/such/folder/metrics.csv"));
}

}  // namespace
}  // namespace fairdarts
