#include "genotypes/cost.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "genotypes/catalog.h"

namespace fairdarts {
namespace {

using ::testing::HasSubstr;

const Genotype& Published(absl::string_view name) {
  const absl::StatusOr<CatalogMatch> match = FindInCatalog(name);
  EXPECT_TRUE(match.ok()) << match.status();
  return match->entry->genotype;
}

NetworkCost CostOf(const Genotype& genotype, const NetworkConfig& config) {
  const absl::StatusOr<NetworkCost> cost = ComputeNetworkCost(genotype, config);
  EXPECT_TRUE(cost.ok()) << cost.status();
  return cost.value_or(NetworkCost());
}

TEST(NetworkCostTest, EveryPublishedGenotypeCostsWhatTheReferenceCounts) {
  const absl::StatusOr<std::string> text =
      ReadFile("tests/golden/data/genotypes.json");
  ASSERT_TRUE(text.ok()) << text.status();
  const nlohmann::json rows = nlohmann::json::parse(*text, nullptr, false);
  ASSERT_EQ(rows.size(), Catalog().size());
  for (size_t i = 0; i < rows.size(); ++i) {
    SCOPED_TRACE(Catalog()[i].key());
    NetworkConfig config = NetworkConfig::Cifar();
    for (const char* field : {"cifar", "cifar_aux"}) {
      config.auxiliary = field == std::string("cifar_aux");
      const NetworkCost cost = CostOf(Catalog()[i].genotype, config);
      const nlohmann::json& expected = rows[i][field];
      EXPECT_EQ(cost.total.macs, expected["conv_linear_macs"].get<int64_t>());
      EXPECT_EQ(cost.total.parameters, expected["params"].get<int64_t>());
    }
  }
}

// The reference's parameter counts; they include the auxiliary head.
TEST(NetworkCostTest, ImageNetNetworksHaveTheReferencesParameters) {
  NetworkConfig full = NetworkConfig::ImageNet();
  full.auxiliary = true;
  NetworkConfig small = full;
  small.init_channels = 16;
  const Genotype& darts = Published("DARTS_V2");
  const Genotype& pc_darts = Published("PC_DARTS_cifar");
  EXPECT_EQ(CostOf(darts, full).total.parameters, 5979528);
  EXPECT_EQ(CostOf(darts, small).total.parameters, 1928888);
  EXPECT_EQ(CostOf(pc_darts, full).total.parameters, 6531336);
  EXPECT_EQ(CostOf(pc_darts, small).total.parameters, 2012472);
}

// The cells of a 14 layer network work on maps of 28, 14 and 7 pixels.
TEST(NetworkCostTest, ImageNetCellsByHand) {
  const NetworkCost cost =
      CostOf(Published("DARTS_V2"), NetworkConfig::ImageNet());
  // Five sep_conv_3x3 of two halves and a dil_conv_3x3 of one: eleven halves.
  const auto halves = [](int64_t c) { return 11 * (9 * c + c * c); };
  const std::vector<int64_t> expected = {
      28 * 28 * (2 * 48 * 48 + halves(48)),
      28 * 28 * (48 * 48 + 192 * 48 + halves(48)),
      28 * 28 * (2 * 192 * 48 + halves(48)),
      28 * 28 * (2 * 192 * 48 + halves(48)),
      28 * 28 * 2 * 192 * 96,  // a reduction cell of pools and identities
      14 * 14 * (192 * 96 + 384 * 96 + halves(96)),
      14 * 14 * (2 * 384 * 96 + halves(96)),
      14 * 14 * (2 * 384 * 96 + halves(96)),
      14 * 14 * (2 * 384 * 96 + halves(96)),
      14 * 14 * 2 * 384 * 192,
      7 * 7 * (384 * 192 + 768 * 192 + halves(192)),
      7 * 7 * (2 * 768 * 192 + halves(192)),
      7 * 7 * (2 * 768 * 192 + halves(192)),
      7 * 7 * (2 * 768 * 192 + halves(192))};
  ASSERT_EQ(cost.cells.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(cost.cells[i].macs, expected[i]) << "cell " << i;
  }
  EXPECT_EQ(cost.cells[4].parameters, 2 * (192 * 96 + 2 * 96));
  EXPECT_EQ(cost.classifier.macs, 768 * 1000);
}

TEST(NetworkCostTest, ThePartsMakeTheTotal) {
  for (NetworkConfig config :
       {NetworkConfig::Cifar(), NetworkConfig::ImageNet()}) {
    config.auxiliary = true;
    const NetworkCost cost = CostOf(Published("FairDARTS_b"), config);
    EXPECT_EQ(cost.cells.size(), static_cast<size_t>(config.layers));
    EXPECT_EQ(cost.auxiliary.macs, 0);
    Cost sum;
    sum.macs = cost.stem.macs + cost.classifier.macs;
    sum.parameters = cost.stem.parameters + cost.classifier.parameters +
                     cost.auxiliary.parameters;
    for (const Cost& cell : cost.cells) {
      sum.macs += cell.macs;
      sum.parameters += cell.parameters;
      sum.max_pool_outputs += cell.max_pool_outputs;
      sum.average_pool_outputs += cell.average_pool_outputs;
    }
    EXPECT_EQ(cost.total.macs, sum.macs);
    EXPECT_EQ(cost.total.parameters, sum.parameters);
    EXPECT_EQ(cost.total.max_pool_outputs, sum.max_pool_outputs);
    EXPECT_EQ(cost.total.average_pool_outputs, sum.average_pool_outputs);
  }
}

// FairDARTS_a: a max pool in each normal cell; a max pool and three average
// pools in each reduction cell, all of stride 2.
TEST(NetworkCostTest, PoolsByHand) {
  const NetworkCost cost =
      CostOf(Published("FairDARTS_a"), NetworkConfig::Cifar());
  constexpr int64_t kFirst = 36 * 32 * 32, kSecond = 72 * 16 * 16,
                    kThird = 144 * 8 * 8;
  EXPECT_EQ(cost.total.max_pool_outputs, 6 * kFirst + 7 * kSecond + 7 * kThird);
  EXPECT_EQ(cost.total.average_pool_outputs, 3 * (kSecond + kThird));
  EXPECT_EQ(cost.cells[6].max_pool_outputs, kSecond);
  EXPECT_EQ(cost.stem.max_pool_outputs, 0);
  // Three of four nodes are left in the normal cell.
  EXPECT_EQ(cost.features, 3 * 144);
  EXPECT_EQ(cost.feature_map, 8);
  EXPECT_EQ(
      CostOf(Published("DARTS_V2"), NetworkConfig::ImageNet()).feature_map, 7);
}

TEST(NetworkCostTest, StemAndClassifierByHand) {
  const Genotype& genotype = Published("DARTS_V2");
  const NetworkCost cifar = CostOf(genotype, NetworkConfig::Cifar());
  EXPECT_EQ(cifar.stem.macs, 3 * 108 * 9 * 32 * 32);
  EXPECT_EQ(cifar.stem.parameters, 3 * 108 * 9 + 2 * 108);
  EXPECT_EQ(cifar.classifier.macs, 4 * 144 * 10);
  EXPECT_EQ(cifar.classifier.parameters, 4 * 144 * 10 + 10);
  const NetworkCost imagenet = CostOf(genotype, NetworkConfig::ImageNet());
  EXPECT_EQ(imagenet.stem.macs, 3 * 24 * 9 * 112 * 112 + 24 * 48 * 9 * 56 * 56 +
                                    48 * 48 * 9 * 28 * 28);
  EXPECT_EQ(imagenet.stem.parameters,
            3 * 24 * 9 + 48 + 24 * 48 * 9 + 96 + 48 * 48 * 9 + 96);
}

TEST(NetworkCostTest, ChannelsClassesAndSizeOfTheDataCount) {
  NetworkConfig config = NetworkConfig::Cifar();
  config.image_channels = 1;
  config.image_size = 28;
  config.classes = 100;
  config.auxiliary = true;  // on a 7x7 map
  const NetworkCost cost = CostOf(Published("FairDARTS_a"), config);
  EXPECT_EQ(cost.stem.macs, 108 * 9 * 28 * 28);
  // Three of four nodes are left in the normal cell.
  EXPECT_EQ(cost.classifier.parameters, 3 * 144 * 100 + 100);
  EXPECT_EQ(cost.auxiliary.parameters, 4 * 144 * 128 + 2 * 128 + 4 * 128 * 768 +
                                           2 * 768 + 768 * 100 + 100);
}

// A node that nothing feeds is dropped, and edges from it cost nothing.
TEST(NetworkCostTest, DeadEdgesCostNothing) {
  Genotype genotype = Published("FairDARTS_c");
  const NetworkConfig config = NetworkConfig::Cifar();
  const NetworkCost with = CostOf(genotype, config);
  auto& edges = genotype.normal.edges;
  ASSERT_EQ(edges[4].from, 3);
  edges[4].op = Primitive::kSepConv7x7;
  EXPECT_EQ(CostOf(genotype, config).total.macs, with.total.macs);
  edges.erase(edges.begin() + 4);
  EXPECT_EQ(CostOf(genotype, config).total.macs, with.total.macs);
  EXPECT_EQ(CostOf(genotype, config).total.parameters, with.total.parameters);
}

TEST(NetworkCostTest, OneLayerIsAReductionCell) {
  NetworkConfig config = NetworkConfig::Cifar();
  config.layers = 1;
  const NetworkCost cost = CostOf(Published("DARTS_V2"), config);
  ASSERT_EQ(cost.cells.size(), 1u);
  EXPECT_EQ(cost.classifier.macs, 4 * 72 * 10);
}

TEST(NetworkCostTest, EveryRefusalNamesTheField) {
  struct Refusal {
    void (*damage)(NetworkConfig&);
    const char* message;
  };
  const Refusal refusals[] = {
      {[](NetworkConfig& c) { c.init_channels = 0; },
       "init_channels: is 0; it has to be 2 to 4096"},
      {[](NetworkConfig& c) { c.init_channels = 35; },
       "init_channels: is 35; it has to be even"},
      {[](NetworkConfig& c) { c.layers = 0; }, "layers: is 0; it has to be 1"},
      {[](NetworkConfig& c) { c.classes = -1; }, "classes: is -1"},
      {[](NetworkConfig& c) { c.image_size = 1 << 30; },
       "image_size: is 1073741824; it has to be 1 to 8192"},
      {[](NetworkConfig& c) { c.image_channels = 0; }, "image_channels: is 0"},
      {[](NetworkConfig& c) {
         c.auxiliary = true;
         c.image_size = 64;
       },
       "auxiliary: the head would see a map of 16x16; it is made for 7x7 to "
       "10x10, so image_size 64"},
      {[](NetworkConfig& c) {
         c = NetworkConfig::ImageNet();
         c.image_size = 192;
       },
       "image_size: 192 makes a last map of 6x6; the ImageNet network needs "
       "7x7 to 13x13"},
      {[](NetworkConfig& c) {
         c = NetworkConfig::ImageNet();
         c.image_size = 288;
         c.auxiliary = true;
       },
       "auxiliary: the head would see a map of 9x9; it is made for 7x7 to 8x8"},
  };
  for (const Refusal& refusal : refusals) {
    NetworkConfig config = NetworkConfig::Cifar();
    refusal.damage(config);
    const absl::Status status =
        ComputeNetworkCost(Published("GDAS_V1"), config).status();
    EXPECT_EQ(ExitCodeOf(status), ExitCode::kUsage);
    EXPECT_THAT(std::string(status.message()), HasSubstr(refusal.message));
  }
}

// FactorizedReduce rounds an odd map up, as every padded operation does.
TEST(NetworkCostTest, OddMapsAreHalvedRoundingUp) {
  NetworkConfig even = NetworkConfig::Cifar();
  NetworkConfig odd = even;
  odd.image_size = 31;
  const auto cost_even = ComputeNetworkCost(Published("FairDARTS_b"), even);
  const auto cost_odd = ComputeNetworkCost(Published("FairDARTS_b"), odd);
  ASSERT_TRUE(cost_even.ok());
  ASSERT_TRUE(cost_odd.ok());
  EXPECT_EQ(cost_odd->total.parameters, cost_even->total.parameters);
  // 31 -> 16 -> 8: from the first halving on the maps are those of 32.
  EXPECT_EQ(cost_odd->cells.back().macs, cost_even->cells.back().macs);
  EXPECT_LT(cost_odd->cells.front().macs, cost_even->cells.front().macs);
}

TEST(NetworkCostTest, AnEmptyCellIsRefusedByName) {
  Genotype genotype = Published("FairDARTS_a");
  genotype.reduce.edges.clear();
  const absl::Status status =
      ComputeNetworkCost(genotype, NetworkConfig::Cifar()).status();
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kData);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("reduce: the cell is empty"));
}

// The largest genotype in the largest network still gives numbers, or says
// that it is too large.
TEST(NetworkCostTest, NothingOverflows) {
  Genotype genotype;
  genotype.form = GenotypeForm::kThreshold;
  for (int to = 2; to < 2 + kMaxCellNodes; ++to) {
    for (int from = 0; from < to; ++from) {
      for (const Primitive op : kAllPrimitives) {
        genotype.normal.edges.push_back({op, to, from});
      }
    }
  }
  genotype.reduce = genotype.normal;
  NetworkConfig config;
  config.init_channels = 4096;
  config.layers = 1000;
  config.classes = 1000000;
  config.image_size = 8192;
  const absl::StatusOr<NetworkCost> cost = ComputeNetworkCost(genotype, config);
  EXPECT_EQ(cost.status().message(), "the network is too large to count");
  config.image_size = 32;
  config.layers = 3;
  EXPECT_GT(CostOf(genotype, config).total.macs, int64_t{1} << 49);
}

Cost OpCost(Primitive op, int stride) {
  const absl::StatusOr<Cost> cost = OperationCost(op, 6, 8, 10, stride);
  EXPECT_TRUE(cost.ok()) << cost.status();
  return cost.value_or(Cost());
}

TEST(OperationCostTest, ByHand) {
  struct Case {
    Primitive op;
    int64_t macs[2];  // stride 1, stride 2
    int64_t parameters[2];
  };
  // C = 6 on maps of 8x10 = 80 pixels, 20 at stride 2.
  constexpr int64_t kSep3 = 2 * (6 * 9 + 36), kSep5 = 2 * (6 * 25 + 36),
                    kSep7 = 2 * (6 * 49 + 36), kDil3 = 6 * 9 + 36,
                    kDil5 = 6 * 25 + 36, k7 = 7 * 36;
  const Case cases[] = {
      {Primitive::kMaxPool3x3, {0, 0}, {0, 0}},
      {Primitive::kAvgPool3x3, {0, 0}, {0, 0}},
      {Primitive::kSkipConnect, {0, 36 * 20}, {0, 36 + 12}},
      {Primitive::kSepConv3x3,
       {kSep3 * 80, kSep3 * 20},
       {kSep3 + 24, kSep3 + 24}},
      {Primitive::kSepConv5x5,
       {kSep5 * 80, kSep5 * 20},
       {kSep5 + 24, kSep5 + 24}},
      {Primitive::kSepConv7x7,
       {kSep7 * 80, kSep7 * 20},
       {kSep7 + 24, kSep7 + 24}},
      {Primitive::kDilConv3x3,
       {kDil3 * 80, kDil3 * 20},
       {kDil3 + 12, kDil3 + 12}},
      {Primitive::kDilConv5x5,
       {kDil5 * 80, kDil5 * 20},
       {kDil5 + 12, kDil5 + 12}},
      // The 1x7 convolution keeps the height and halves the width.
      {Primitive::kConv7x1_1x7,
       {2 * k7 * 80, k7 * 8 * 5 + k7 * 20},
       {2 * k7 + 12, 2 * k7 + 12}},
  };
  ASSERT_EQ(std::size(cases), kAllPrimitives.size());
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(PrimitiveName(c.op)));
    for (const int stride : {1, 2}) {
      EXPECT_EQ(OpCost(c.op, stride).macs, c.macs[stride - 1]);
      EXPECT_EQ(OpCost(c.op, stride).parameters, c.parameters[stride - 1]);
    }
  }
}

TEST(OperationCostTest, PoolsMakeTheirOutputs) {
  EXPECT_EQ(OpCost(Primitive::kMaxPool3x3, 1).max_pool_outputs, 6 * 80);
  EXPECT_EQ(OpCost(Primitive::kMaxPool3x3, 2).max_pool_outputs, 6 * 20);
  EXPECT_EQ(OpCost(Primitive::kMaxPool3x3, 1).average_pool_outputs, 0);
  EXPECT_EQ(OpCost(Primitive::kAvgPool3x3, 2).average_pool_outputs, 6 * 20);
  EXPECT_EQ(OpCost(Primitive::kAvgPool3x3, 2).max_pool_outputs, 0);
  EXPECT_EQ(OpCost(Primitive::kSepConv3x3, 1).average_pool_outputs, 0);
}

TEST(OperationCostTest, OddMapsAreRoundedUp) {
  const absl::StatusOr<Cost> cost =
      OperationCost(Primitive::kDilConv3x3, 6, 7, 9, 2);
  ASSERT_TRUE(cost.ok()) << cost.status();
  EXPECT_EQ(cost->macs, (6 * 9 + 36) * 4 * 5);
  const absl::StatusOr<Cost> skip =
      OperationCost(Primitive::kSkipConnect, 6, 7, 8, 2);
  ASSERT_TRUE(skip.ok()) << skip.status();
  EXPECT_EQ(skip->macs, 36 * 4 * 4);
}

TEST(OperationCostTest, RefusesWhatDoesNotExist) {
  const auto error = [](Primitive op, int channels, int height, int width,
                        int stride) {
    const absl::Status status =
        OperationCost(op, channels, height, width, stride).status();
    EXPECT_EQ(ExitCodeOf(status), ExitCode::kUsage);
    return std::string(status.message());
  };
  EXPECT_THAT(error(Primitive::kSkipConnect, 5, 8, 8, 2),
              HasSubstr("5 channels cannot be made by FactorizedReduce"));
  EXPECT_THAT(error(Primitive::kSepConv3x3, 6, 8, 8, 3),
              HasSubstr("stride: is 3; it has to be 1 to 2"));
  EXPECT_THAT(error(Primitive::kSepConv3x3, 0, 8, 8, 1),
              HasSubstr("channels: is 0"));
  EXPECT_THAT(error(Primitive::kSepConv3x3, 6, 0, 8, 1),
              HasSubstr("height: is 0"));
  EXPECT_THAT(error(Primitive::kSepConv3x3, 6, 8, -8, 1),
              HasSubstr("width: is -8"));
}

}  // namespace
}  // namespace fairdarts
