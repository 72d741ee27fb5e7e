#include "training/progress.h"

#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fairdarts {
namespace {

using ::testing::HasSubstr;

class ProgressTest : public testing::Test {
 protected:
  Progress::Options Options(int report_freq) {
    Progress::Options options;
    options.epochs = 3;
    options.steps_per_epoch = 4;
    options.report_freq = report_freq;
    options.now = [this] { return now_; };
    return options;
  }

  // A step of 64 images that takes `duration`.
  void Step(Progress& progress, int epoch, int step, absl::Duration duration) {
    now_ += duration;
    StepReport report;
    report.epoch = epoch;
    report.step = step;
    report.train_loss = 1.25;
    report.alpha_loss = -0.5;
    report.train_top1 = 0.625;
    report.images = 64;
    progress.Step(report);
  }

  absl::Time now_ = absl::UnixEpoch();
  std::ostringstream out_, err_;
};

TEST_F(ProgressTest, PlainLinesEverySoManySteps) {
  RunLog log(out_, err_, /*terminal=*/false, 80);
  Progress progress(log, Options(2));
  for (int i = 0; i < 4; ++i) Step(progress, 0, i, absl::Seconds(2));
  EXPECT_EQ(out_.str(),
            "epoch 1/3 step 2/4  loss 1.250 alpha -0.500  top-1 62.5%  "
            "32 images/s  0:20 left\n"
            "epoch 1/3 step 4/4  loss 1.250 alpha -0.500  top-1 62.5%  "
            "32 images/s  0:16 left\n");
}

TEST_F(ProgressTest, SpeedIsOfTheEpochAndTimeLeftOfTheWholeRun) {
  RunLog log(out_, err_, false, 80);
  Progress progress(log, Options(1));
  for (int i = 0; i < 4; ++i) Step(progress, 0, i, absl::Seconds(4000));
  out_.str("");
  Step(progress, 1, 0, absl::Seconds(2));
  // 16002 s for five steps, seven are left.
  EXPECT_THAT(out_.str(), HasSubstr("32 images/s  6:13:23 left"));
}

TEST_F(ProgressTest, ATerminalsLineIsThrottled) {
  RunLog log(out_, err_, /*terminal=*/true, 80);
  Progress progress(log, Options(1));
  Step(progress, 0, 0, absl::Milliseconds(300));
  EXPECT_THAT(out_.str(), HasSubstr("step 1/4"));
  out_.str("");
  Step(progress, 0, 1, absl::Milliseconds(100));
  EXPECT_EQ(out_.str(), "");
  Step(progress, 0, 2, absl::Milliseconds(200));
  EXPECT_THAT(out_.str(), HasSubstr("epoch 1/3 step 3/4"));
  EXPECT_EQ(out_.str().find('\n'), std::string::npos);
}

TEST_F(ProgressTest, NoTimeHasPassed) {
  RunLog log(out_, err_, false, 80);
  Progress progress(log, Options(1));
  Step(progress, 0, 0, absl::ZeroDuration());
  EXPECT_THAT(out_.str(), HasSubstr("0 images/s  0:00 left"));
}

TEST_F(ProgressTest, AResumedRunCountsWhatWasDoneBefore) {
  RunLog log(out_, err_, /*terminal=*/false, 80);
  Progress::Options options = Options(1);
  options.steps_before = 9;  // of 3 epochs of 4 steps
  Progress progress(log, options);
  Step(progress, 2, 1, absl::Seconds(2));
  EXPECT_THAT(out_.str(), HasSubstr("0:04 left"));
}

TEST_F(ProgressTest, WithoutAlphaStepsNoneAreShown) {
  RunLog log(out_, err_, /*terminal=*/false, 80);
  Progress progress(log, Options(1));
  StepReport report;
  report.train_loss = 1.25;
  now_ += absl::Seconds(1);
  progress.Step(report);
  EXPECT_THAT(out_.str(), HasSubstr("loss 1.250  top-1"));
}

}  // namespace
}  // namespace fairdarts
