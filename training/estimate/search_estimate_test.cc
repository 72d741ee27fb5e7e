#include "training/estimate/search_estimate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairdarts {
namespace {

using ::testing::HasSubstr;

TEST(SearchEstimateTest, TimeCountsImagesWarmUpAndEvaluation) {
  SearchTrial trial;
  trial.batch = 32;
  trial.step_images = 64;
  trial.first_step = 3;
  trial.step = 1;
  trial.evaluated_image = 0.01;
  SearchWork work;
  work.steps = 10;
  work.step_images = 632;  // the last batch of an epoch is smaller
  work.evaluated_images = 500;
  EXPECT_DOUBLE_EQ(SearchSeconds(work, trial), 2 + 632. / 64 + 5);
}

TEST(SearchEstimateTest, AFirstStepThatIsFasterTakesNothingOff) {
  SearchTrial trial;
  trial.step_images = 64;
  trial.first_step = 0.9;
  trial.step = 1;
  SearchWork work;
  work.step_images = 64;
  EXPECT_DOUBLE_EQ(SearchSeconds(work, trial), 1);
}

TEST(MemoryModelTest, BlocksThatAreBegunCount) {
  const MemoryModel model = {/*fixed=*/100, /*granule=*/16, /*step=*/10};
  EXPECT_EQ(model.Peak(1), 110);
  EXPECT_EQ(model.Peak(16), 110);
  EXPECT_EQ(model.Peak(17), 120);
}

TEST(MemoryModelTest, TheFloorIsTheLeast) {
  const MemoryModel model = {100, 1, 10, /*floor=*/500};
  EXPECT_EQ(model.Peak(8), 500);
  EXPECT_EQ(model.Peak(64), 740);
}

TEST(MemoryModelTest, TheLargestBatchThatFits) {
  const MemoryModel model = {100, 16, 10};
  EXPECT_EQ(model.LargestBatch(149, 16, 1000), 64);
  EXPECT_EQ(model.LargestBatch(150, 16, 1000), 80);
  EXPECT_EQ(model.LargestBatch(110, 16, 1000), 16);
  EXPECT_EQ(model.LargestBatch(109, 16, 1000), 0);
}

TEST(MemoryModelTest, TheDataBoundTheBatch) {
  const MemoryModel model = {100, 16, 10};
  EXPECT_EQ(model.LargestBatch(1 << 30, 16, 100), 96);
  EXPECT_EQ(model.LargestBatch(1 << 30, 16, 15), 0);
}

TEST(MemoryModelTest, ALineThroughTwoBatches) {
  const MemoryModel model = MemoryThrough(8, 180, 16, 260);
  EXPECT_EQ(model.Peak(8), 180);
  EXPECT_EQ(model.Peak(16), 260);
  EXPECT_EQ(model.Peak(32), 420);
}

TEST(MemoryModelTest, ALineDoesNotFall) {
  EXPECT_EQ(MemoryThrough(8, 260, 16, 250).Peak(1000), 250);
}

TEST(DurationTextTest, TwoUnitsAtMost) {
  EXPECT_EQ(DurationText(0.25), "0.2 s");
  EXPECT_EQ(DurationText(45.4), "45 s");
  EXPECT_EQ(DurationText(119), "119 s");
  EXPECT_EQ(DurationText(125), "2 min 5 s");
  EXPECT_EQ(DurationText(44.6 * 60), "45 min");
  EXPECT_EQ(DurationText(72.3 * 60), "1 h 12 min");
  EXPECT_EQ(DurationText(59.6 * 60), "1 h 0 min");
  EXPECT_EQ(DurationText(24 * 3600), "1 day 0 h");
  EXPECT_EQ(DurationText(123.4 * 3600), "5 days 3 h");
}

TEST(BytesTextTest, Units) {
  EXPECT_EQ(BytesText(512400000), "512 MB");
  EXPECT_EQ(BytesText(22440000000), "22.4 GB");
}

SearchEstimate Example() {
  SearchEstimate e;
  e.batch = 32;
  e.work = {/*steps=*/140, /*step_images=*/8960, /*evaluated_images=*/6000};
  e.trial.batch = 32;
  e.trial.step_images = 64;
  e.trial.first_step = 0.5;
  e.trial.step = 0.2;
  e.trial.batches = 0.002;
  e.trial.evaluated_image = 0.005;
  e.timed_steps = 2;
  e.memory = {/*fixed=*/200000000, /*granule=*/16, /*step=*/80000000};
  e.free = {2000000000, "the machine"};
  e.multiple = 16;
  e.most_batch = 6000;
  return e;
}

TEST(EstimateTextTest, WhatFits) {
  EXPECT_EQ(
      EstimateText(Example()),
      "time: about 58 s: 140 steps of 0.2 s at batch 32 (320 images/s; 1.0 % "
      "of it for batches), then 30 s to evaluate 6000 images; from 2 steps "
      "after one that warms up\n"
      "memory: about 360 MB at its peak; 2.0 GB can be had (the machine)\n"
      "batch: up to 352 fits, with about 2.0 GB (5 MB for each image)");
}

TEST(EstimateTextTest, ABatchThatDoesNotFitIsSaidAndScaledFromASmallerOne) {
  SearchEstimate e = Example();
  e.batch = 512;
  e.trial.batch = 64;
  e.trial.step_images = 128;
  const std::string text = EstimateText(e);
  EXPECT_THAT(text, HasSubstr("140 steps of 1.6 s at batch 512 (640 images/s"));
  EXPECT_THAT(text, HasSubstr("memory: about 2.8 GB at its peak; 2.0 GB can be "
                              "had (the machine): batch 512 does not fit, and "
                              "the time is that of an image at batch 64\n"));
}

TEST(EstimateTextTest, TheDataMayBeTheBound) {
  SearchEstimate e = Example();
  e.most_batch = 200;
  EXPECT_THAT(EstimateText(e),
              HasSubstr("batch: up to 192, all that the data allow, with"));
  e.most_batch = 10;
  EXPECT_THAT(EstimateText(e),
              HasSubstr("no multiple of 16: the data have too few images"));
}

TEST(EstimateTextTest, AFitIsCalledOne) {
  SearchEstimate e = Example();
  e.memory_modelled = false;
  EXPECT_THAT(EstimateText(e), HasSubstr("by a line through two batches"));
}

}  // namespace
}  // namespace fairdarts
