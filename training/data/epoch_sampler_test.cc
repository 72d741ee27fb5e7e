#include "training/data/epoch_sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::UnorderedElementsAreArray;

EpochSamplerOptions Options(int64_t samples, int64_t batch_size) {
  EpochSamplerOptions options;
  options.samples = samples;
  options.batch_size = batch_size;
  options.seed = 7;
  options.purpose = "test";
  return options;
}

TEST(EpochSamplerTest, AnEpochSeesEverySampleOnce) {
  // 25 in batches of 6: the last one is of a single sample.
  const auto sampler = EpochSampler::Create(Options(25, 6));
  ASSERT_THAT(sampler, IsOk());
  ASSERT_EQ(sampler->steps_per_epoch(), 5);
  EXPECT_EQ(sampler->last_batch_size(), 1);
  const std::vector<int64_t> order = sampler->Order(3);
  std::vector<int64_t> seen;
  for (int64_t step = 0; step < 5; ++step) {
    const auto batch = sampler->Batch(order, step);
    EXPECT_EQ(batch.size(), step < 4 ? 6 : 1);
    seen.insert(seen.end(), batch.begin(), batch.end());
  }
  std::vector<int64_t> all(25);
  for (int64_t i = 0; i < 25; ++i) all[i] = i;
  EXPECT_THAT(seen, UnorderedElementsAreArray(all));
  EXPECT_NE(order, sampler->Order(4));
  EXPECT_EQ(order, EpochSampler::Create(Options(25, 6))->Order(3));
}

TEST(EpochSamplerTest, SeedAndPurposeSetOrdersApart) {
  EpochSamplerOptions other_seed = Options(25, 6);
  other_seed.seed = 8;
  EpochSamplerOptions other_purpose = Options(25, 6);
  other_purpose.purpose = "other";
  const auto order = EpochSampler::Create(Options(25, 6))->Order(0);
  EXPECT_NE(order, EpochSampler::Create(other_seed)->Order(0));
  EXPECT_NE(order, EpochSampler::Create(other_purpose)->Order(0));
}

TEST(EpochSamplerTest, ACapEndsTheEpoch) {
  EpochSamplerOptions options = Options(25, 6);
  options.steps_per_epoch = 2;
  EXPECT_EQ(EpochSampler::Create(options)->steps_per_epoch(), 2);
  EXPECT_EQ(EpochSampler::Create(options)->last_batch_size(), 6);
  options.steps_per_epoch = 9;
  EXPECT_EQ(EpochSampler::Create(options)->steps_per_epoch(), 5);
}

TEST(EpochSamplerTest, RefusesWhatMakesNoEpoch) {
  EpochSamplerOptions cap = Options(25, 6);
  cap.steps_per_epoch = -1;
  for (const auto& [options, message] :
       std::vector<std::pair<EpochSamplerOptions, std::string>>{
           {Options(0, 1), "has 0 samples"},
           {Options(kMaxSamples + 1, 1), "samples, should be 1 to"},
           {Options(5, 0), "batch_size is 0"},
           {Options(5, 6), "batch_size 6 is larger than the 5"},
           {cap, "steps_per_epoch is -1"}}) {
    EXPECT_THAT(EpochSampler::Create(options),
                StatusIs(absl::StatusCode::kInvalidArgument, message));
  }
}

}  // namespace
}  // namespace fairdarts
