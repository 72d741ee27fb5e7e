#include "training/studies/random_genotype.h"

#include <gtest/gtest.h>

#include <cmath>

#include "fairdarts/base/status.h"
#include "fairdarts/decision.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

NetworkConfig SmallNetwork() {
  NetworkConfig network = NetworkConfig::Cifar();
  network.init_channels = 8;
  network.layers = 4;
  network.image_size = 28;
  network.image_channels = 1;
  return network;
}

TEST(RandomGenotypeTest, IsOfTheSizeThatIsAskedFor) {
  const NetworkConfig network = SmallNetwork();
  for (const int64_t macs : {4000000, 5000000, 6000000}) {
    for (const uint64_t seed : {1, 2, 3}) {
      const auto genotype = RandomGenotypeLike(seed, macs, 2, network);
      ASSERT_THAT(genotype, IsOk());
      ASSERT_TRUE(genotype->has_value()) << macs;
      const auto cost = ComputeNetworkCost(**genotype, network);
      ASSERT_THAT(cost, IsOk());
      EXPECT_LE(std::abs(cost->total.macs - macs), 0.02 * macs);
      const auto again = RandomGenotypeLike(seed, macs, 2, network);
      EXPECT_TRUE(**again == **genotype);
    }
  }
  const auto one = RandomGenotypeLike(1, 5000000, 2, network);
  const auto two = RandomGenotypeLike(2, 5000000, 2, network);
  EXPECT_FALSE(**one == **two);
}

TEST(RandomGenotypeTest, SaysWhereThereIsNone) {
  const auto none = RandomGenotypeLike(1, 1000, 2, SmallNetwork());
  ASSERT_THAT(none, IsOk());
  EXPECT_FALSE(none->has_value());
}

TEST(RandomGenotypeTest, HasTheSkipsThatAreAskedFor) {
  for (const int skips : {0, 2, 4}) {
    const auto genotype = RandomGenotypeOf(7, skips, 400);
    ASSERT_THAT(genotype, IsOk());
    EXPECT_EQ(CountSkips(genotype->normal), skips);
    const auto cost = ComputeNetworkCost(*genotype, NetworkConfig::Cifar());
    EXPECT_GE(cost->total.macs, 400000000);
  }
  EXPECT_THAT(RandomGenotypeOf(7, 9, 100), ExitCodeIs(ExitCode::kUsage));
}

}  // namespace
}  // namespace fairdarts
