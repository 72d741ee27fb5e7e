#include "training/profiling/conventions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <string>

#include "fairdarts/base/status.h"
#include "genotypes/catalog.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

const Genotype& Published(absl::string_view name) {
  const absl::StatusOr<CatalogMatch> match = FindInCatalog(name);
  EXPECT_THAT(match, IsOk());
  return match->entry->genotype;
}

int64_t Count(absl::string_view convention, absl::string_view name,
              const NetworkConfig& config) {
  for (const auto* conventions :
       {&FlopsConventions(), &ParameterConventions()}) {
    for (const Convention& c : *conventions) {
      if (c.name != convention) continue;
      const absl::StatusOr<int64_t> count = CountBy(c, Published(name), config);
      EXPECT_THAT(count, IsOk());
      return count.value_or(-1);
    }
  }
  ADD_FAILURE() << "no convention " << convention;
  return -1;
}

// FairDARTS_a, whose normal cell is three nodes wide. Per map size it has six,
// seven and seven max pools (those of stride 2 make the next size) and three
// average pools where the size shrinks.
TEST(ConventionsTest, CifarByHand) {
  const NetworkConfig config = NetworkConfig::Cifar();
  constexpr int64_t kMacs = 371455200;  // tests/golden/data/genotypes.json
  constexpr int64_t kFirst = 36 * 32 * 32, kSecond = 72 * 16 * 16,
                    kThird = 144 * 8 * 8;
  constexpr int64_t kFeatures = 3 * 144;
  EXPECT_EQ(Count("conv+linear", "FairDARTS_a", config), kMacs);
  const int64_t late = kMacs + (kFeatures - 1) * 10 + kFeatures * (8 * 8 + 1) +
                       4 * 3 * (kSecond + kThird);
  EXPECT_EQ(Count("thop-0.0.31", "FairDARTS_a", config), late);
  EXPECT_EQ(Count("thop-0.0.22", "FairDARTS_a", config),
            late + 3 * (6 * kFirst + 7 * kSecond + 7 * kThird));
  EXPECT_EQ(Count("without-head", "FairDARTS_a", config), 2360782);
  EXPECT_EQ(Count("with-head", "FairDARTS_a", config), 2837208);
}

// The ImageNet network's last pool is written as one of "7".
TEST(ConventionsTest, ImageNetByHand) {
  const NetworkConfig config = NetworkConfig::ImageNet();
  const int64_t macs = Count("conv+linear", "DARTS_V2", config);
  // 14 layers: four max pools in each of two reduction cells, no average pool.
  EXPECT_EQ(Count("thop-0.0.31", "DARTS_V2", config),
            macs + 767 * 1000 + 768 * (7 + 1));
  EXPECT_EQ(Count("thop-0.0.22", "DARTS_V2", config),
            macs + 767 * 1000 + 768 * 8 + 3 * 5 * (96 * 14 * 14 + 192 * 7 * 7));
}

TEST(ConventionsTest, NamesAreOwnAndRulesAreSaid) {
  std::set<std::string> names;
  for (const auto* conventions :
       {&FlopsConventions(), &ParameterConventions()}) {
    for (const Convention& c : *conventions) {
      EXPECT_TRUE(names.insert(std::string(c.name)).second) << c.name;
      EXPECT_FALSE(c.rule.empty()) << c.name;
    }
  }
}

TEST(ConventionsTest, RefusesWhatCannotBeCounted) {
  NetworkConfig config = NetworkConfig::Cifar();
  config.layers = 0;
  EXPECT_THAT(
      CountBy(FlopsConventions()[0], Published("DARTS_V2"), config).status(),
      ExitCodeIs(ExitCode::kUsage));
  NetworkCost cost;
  cost.total.macs = std::numeric_limits<int64_t>::max();
  cost.total.average_pool_outputs = 100;
  EXPECT_EQ(FlopsConventions()[0]
                .count(cost, NetworkConfig::Cifar())
                .status()
                .message(),
            "the network is too large to count");
}

}  // namespace
}  // namespace fairdarts
