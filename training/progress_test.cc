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
  // 12002 s for the four steps after the first, seven are left.
  EXPECT_THAT(out_.str(), HasSubstr("32 images/s  5:50:04 left"));
}

TEST_F(ProgressTest, TheFirstStepCountsUntilThereIsAnother) {
  RunLog log(out_, err_, false, 80);
  Progress progress(log, Options(1));
  Step(progress, 0, 0, absl::Seconds(30));
  EXPECT_THAT(out_.str(), HasSubstr("5:30 left"));
  out_.str("");
  Step(progress, 0, 1, absl::Seconds(3));
  EXPECT_THAT(out_.str(), HasSubstr("0:30 left"));
}

TEST_F(ProgressTest, EvaluationsAreCountedByWhatTheLastOneTook) {
  RunLog log(out_, err_, false, 80);
  Progress::Options options = Options(1);
  options.evaluated_each_epoch = 100;
  options.evaluated_at_end = 50;
  Progress progress(log, options);
  // A trial of 10 images takes 1 s of the 3 s.
  progress.Evaluated(10, absl::Seconds(1));
  Step(progress, 0, 0, absl::Seconds(3));
  // 11 steps of 2 s; three times 100 images and 50 of 0.1 s.
  EXPECT_THAT(out_.str(), HasSubstr("32 images/s  0:57 left"));
  for (int i = 1; i < 4; ++i) Step(progress, 0, i, absl::Seconds(2));
  progress.Evaluated(100, absl::Seconds(20));
  now_ += absl::Seconds(20);
  progress.EpochEnded();
  out_.str("");
  Step(progress, 1, 0, absl::Seconds(2));
  // 7 steps of 2 s; 250 images of 0.2 s.
  EXPECT_THAT(out_.str(), HasSubstr("32 images/s  1:04 left"));
}

TEST_F(ProgressTest, EndsOfEpochsAreCountedOnceThereWasOne) {
  RunLog log(out_, err_, false, 80);
  Progress::Options options = Options(1);
  options.evaluated_at_end = 10;
  Progress progress(log, options);
  for (int i = 0; i < 4; ++i) Step(progress, 0, i, absl::Seconds(2));
  EXPECT_THAT(out_.str(), HasSubstr("step 4/4  loss 1.250 alpha -0.500  "
                                    "top-1 62.5%  32 images/s  0:16 left"));
  // 5 s for files, and a trial.
  progress.Evaluated(10, absl::Seconds(3));
  now_ += absl::Seconds(8);
  progress.EpochEnded();
  out_.str("");
  Step(progress, 1, 0, absl::Seconds(2));
  // 7 steps, two ends of epochs, one evaluation; and the end of an epoch is
  // nothing that slows the next one down.
  EXPECT_THAT(out_.str(), HasSubstr("32 images/s  0:27 left"));
  now_ += absl::Seconds(9);
  progress.EpochEnded();
  out_.str("");
  for (int i = 0; i < 4; ++i) Step(progress, 2, i, absl::Seconds(2));
  // Three steps of the second epoch were left out; one end of 7 s; 3 s.
  EXPECT_THAT(out_.str(), HasSubstr("step 4/4  loss 1.250 alpha -0.500  "
                                    "top-1 62.5%  32 images/s  0:16 left"));
}

TEST_F(ProgressTest, AWholeRunIsForeseenFromItsFirstTenth) {
  RunLog log(out_, err_, false, 80);
  Progress::Options options = Options(1);
  options.epochs = 10;
  options.evaluated_at_end = 600;
  Progress progress(log, options);
  // 4 steps of 1 s an epoch, the first of 5 s; 1 s of files after each epoch;
  // 30 s of evaluation at the end.
  progress.Evaluated(20, absl::Seconds(1));
  Step(progress, 0, 0, absl::Seconds(5 + 1));
  for (int i = 1; i < 4; ++i) Step(progress, 0, i, absl::Seconds(1));
  now_ += absl::Seconds(1);
  progress.EpochEnded();
  out_.str("");
  Step(progress, 1, 0, absl::Seconds(1));
  EXPECT_THAT(out_.str(), HasSubstr("1:14 left"));  // 35 + 9 + 30 s
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
