#include "training/data/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <vector>

#include "training/data/testing.h"

namespace fairdarts {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

SamplerOptions Options(int64_t samples, int64_t batch_size) {
  SamplerOptions options;
  options.samples = samples;
  options.batch_size = batch_size;
  options.seed = 2;
  return options;
}

SearchSampler Make(const SamplerOptions& options) {
  auto sampler = SearchSampler::Create(options);
  EXPECT_TRUE(sampler.ok()) << sampler.status();
  return *std::move(sampler);
}

TEST(SamplerTest, SplitsByIndexAndRoundsDown) {
  SamplerOptions options = Options(50000, 128);
  EXPECT_EQ(Make(options).weight_samples(), 25000);
  EXPECT_EQ(Make(options).alpha_samples(), 25000);
  options = Options(7, 1);
  EXPECT_EQ(Make(options).weight_samples(), 3);
  EXPECT_EQ(Make(options).alpha_samples(), 4);
  options = Options(10, 1);
  options.train_portion = .79;
  EXPECT_EQ(Make(options).weight_samples(), 7);
}

TEST(SamplerTest, AnEpochIsEveryWeightSampleOnceAndKeepsThePartialBatch) {
  const SearchSampler sampler = Make(Options(207, 10));  // 103 and 104
  EXPECT_EQ(sampler.steps_per_epoch(), 11);
  const std::vector<int64_t> order = sampler.EpochOrder(0);
  std::vector<int64_t> seen;
  for (int64_t step = 0; step < sampler.steps_per_epoch(); ++step) {
    const absl::Span<const int64_t> batch = sampler.WeightBatch(order, step);
    EXPECT_THAT(batch, SizeIs(step < 10 ? 10 : 3));
    seen.insert(seen.end(), batch.begin(), batch.end());
  }
  EXPECT_EQ(seen, order);
  EXPECT_FALSE(std::is_sorted(seen.begin(), seen.end()));
  std::sort(seen.begin(), seen.end());
  ASSERT_THAT(seen, SizeIs(103));
  for (int64_t i = 0; i < 103; ++i) EXPECT_EQ(seen[i], i);
}

TEST(SamplerTest, TheOrderDependsOnSeedAndEpochAlone) {
  SamplerOptions options = Options(200, 10);
  const SearchSampler sampler = Make(options);
  const std::vector<int64_t> third = sampler.EpochOrder(3);
  EXPECT_NE(sampler.EpochOrder(4), third);
  EXPECT_EQ(sampler.EpochOrder(3), third);
  EXPECT_EQ(Make(options).EpochOrder(3), third);
  options.seed = 3;
  EXPECT_NE(Make(options).EpochOrder(3), third);
}

TEST(SamplerTest, ACapEndsTheEpochEarlyAndNeverLengthensIt) {
  SamplerOptions options = Options(200, 30);
  EXPECT_EQ(Make(options).steps_per_epoch(), 4);
  options.steps_per_epoch = 3;
  EXPECT_EQ(Make(options).steps_per_epoch(), 3);
  options.steps_per_epoch = 5;
  EXPECT_EQ(Make(options).steps_per_epoch(), 4);
}

TEST(SamplerTest, AnAlphaBatchIsOfDistinctAlphaSamples) {
  const SearchSampler sampler = Make(Options(101, 20));  // 50 and 51
  for (int64_t step = 0; step < 200; ++step) {
    const std::vector<int64_t> batch = sampler.AlphaBatch(step);
    EXPECT_THAT(batch, SizeIs(20));
    EXPECT_THAT(std::set<int64_t>(batch.begin(), batch.end()), SizeIs(20));
    for (const int64_t sample : batch) {
      EXPECT_GE(sample, 50);
      EXPECT_LT(sample, 101);
    }
  }
}

TEST(SamplerTest, AnAlphaBatchMayBeTheWholeSide) {
  const SearchSampler sampler = Make(Options(16, 8));
  const std::vector<int64_t> batch = sampler.AlphaBatch(5);
  EXPECT_THAT(std::set<int64_t>(batch.begin(), batch.end()), SizeIs(8));
}

TEST(SamplerTest, EveryAlphaSetIsEquallyLikely) {
  const SearchSampler sampler = Make(Options(12, 3));  // 20 sets of 3 of 6
  constexpr int kDraws = 20000;
  std::map<std::set<int64_t>, int> counts;
  for (int64_t step = 0; step < kDraws; ++step) {
    const std::vector<int64_t> batch = sampler.AlphaBatch(step);
    ++counts[{batch.begin(), batch.end()}];
  }
  EXPECT_THAT(counts, SizeIs(20));
  // Binomial: 1000 +- sqrt(20000 * .05 * .95); 6 standard deviations.
  const double slack = 6 * std::sqrt(kDraws * .05 * .95);
  for (const auto& [set, count] : counts) EXPECT_NEAR(count, 1000, slack);
}

TEST(SamplerTest, AlphaBatchesDependOnSeedAndStepAlone) {
  SamplerOptions options = Options(2000, 20);
  const SearchSampler sampler = Make(options);
  const std::vector<int64_t> seventh = sampler.AlphaBatch(7);
  EXPECT_NE(sampler.AlphaBatch(8), seventh);
  EXPECT_EQ(sampler.AlphaBatch(7), seventh);
  EXPECT_EQ(Make(options).AlphaBatch(7), seventh);
  options.seed = 3;
  EXPECT_NE(Make(options).AlphaBatch(7), seventh);
}

TEST(SamplerTest, RefusesBadBatchSizes) {
  for (const int64_t size : {int64_t{0}, int64_t{-4}}) {
    EXPECT_THAT(SearchSampler::Create(Options(100, size)),
                IsUsageError(HasSubstr("should be at least 1")));
  }
  EXPECT_TRUE(SearchSampler::Create(Options(100, 50)).ok());
  EXPECT_THAT(
      SearchSampler::Create(Options(100, 51)),
      IsUsageError(
          "batch_size 51 is larger than the 50 training samples for the "
          "weights"));
  SamplerOptions options = Options(100, 41);
  options.train_portion = .6;
  EXPECT_THAT(SearchSampler::Create(options),
              IsUsageError(HasSubstr("the 40 training samples for the "
                                     "alphas")));
}

TEST(SamplerTest, RefusesBadPortions) {
  for (const double portion :
       {0.0, 1.0, -.5, 1.5, std::numeric_limits<double>::quiet_NaN(),
        std::numeric_limits<double>::infinity()}) {
    SamplerOptions options = Options(100, 1);
    options.train_portion = portion;
    EXPECT_THAT(SearchSampler::Create(options),
                IsUsageError(HasSubstr("should be between 0 and 1")));
  }
  SamplerOptions options = Options(10, 1);
  options.train_portion = .05;
  EXPECT_THAT(SearchSampler::Create(options),
              IsUsageError(HasSubstr("leaves the weights none")));
  // The product rounds to all of the samples.
  options = Options(int64_t{1} << 40, 1);
  options.train_portion = std::nextafter(1.0, 0.0);
  EXPECT_TRUE(SearchSampler::Create(options).ok());
  options = Options(1, 1);
  EXPECT_THAT(SearchSampler::Create(options),
              IsUsageError(HasSubstr("leaves the weights none")));
}

TEST(SamplerTest, RefusesABadSetOrCap) {
  EXPECT_THAT(SearchSampler::Create(Options(0, 1)),
              IsUsageError(HasSubstr("has 0 samples")));
  SamplerOptions options = Options(100, 1);
  options.steps_per_epoch = -1;
  EXPECT_THAT(SearchSampler::Create(options),
              IsUsageError(HasSubstr("steps_per_epoch is -1")));
}

}  // namespace
}  // namespace fairdarts
