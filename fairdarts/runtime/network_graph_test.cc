#include "fairdarts/runtime/network_graph.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "fairdarts/base/safetensors.h"
#include "fairdarts/base/status.h"
#include "genotypes/python_literal.h"
#include "tests/golden/golden_data.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;

NetworkGraph GraphOf(const std::string& text, const NetworkConfig& config) {
  const absl::StatusOr<Genotype> genotype = ParsePythonGenotype(text);
  EXPECT_THAT(genotype, IsOk());
  absl::StatusOr<NetworkGraph> graph = MakeNetworkGraph(*genotype, config);
  EXPECT_THAT(graph, IsOk());
  return *std::move(graph);
}

// Threshold cells whose node 3 is missing, with it (4 <- 3); node 2 feeds only
// node 4, and node 5 comes first.
constexpr char kThreshold[] =
    "Genotype(normal=[('sep_conv_3x3', 5, 0), ('skip_connect', 4, 3), "
    "('dil_conv_5x5', 4, 2), ('max_pool_3x3', 4, 2), ('skip_connect', 2, 1), "
    "('sep_conv_5x5', 2, 1)], normal_concat=range(2, 6), "
    "reduce=[('avg_pool_3x3', 2, 0), ('skip_connect', 2, 1)], "
    "reduce_concat=range(2, 6))";

TEST(NetworkGraphTest, TensorsAreThoseOfEveryPublishedNetwork) {
  const absl::StatusOr<SafetensorsFile> golden =
      SafetensorsFile::Load(GoldenPath("derived_cifar.safetensors"));
  ASSERT_THAT(golden, IsOk());
  const nlohmann::json small =
      nlohmann::json::parse(golden->metadata().at("small"));
  NetworkConfig config;
  config.init_channels = small["C"];
  config.layers = small["layers"];
  const nlohmann::json networks =
      nlohmann::json::parse(golden->metadata().at("networks"));
  ASSERT_EQ(networks.size(), 48u);
  for (const auto& [key, network] : networks.items()) {
    SCOPED_TRACE(key);
    std::set<std::string> trained;
    for (const std::string name : network["parameter_names"]) {
      if (!absl::StartsWith(name, "auxiliary_head.")) trained.insert(name);
    }
    std::set<std::string> found;
    for (const TensorSpec& spec :
         ExpectedTensors(GraphOf(network["genotype"], config))) {
      if (absl::StrContains(spec.name, ".running_")) continue;
      EXPECT_TRUE(found.insert(spec.name).second) << spec.name << " twice";
    }
    EXPECT_EQ(found, trained);
  }
}

TEST(NetworkGraphTest, ParametersAreCountedAsPublished) {
  const nlohmann::json golden = ReadGoldenJson("genotypes.json");
  ASSERT_EQ(golden.size(), 51u);
  for (const nlohmann::json& entry : golden) {
    SCOPED_TRACE(entry["name"]);
    int64_t parameters = 0;
    for (const TensorSpec& spec :
         ExpectedTensors(GraphOf(entry["text"], NetworkConfig::Cifar()))) {
      if (absl::StrContains(spec.name, ".running_")) continue;
      int64_t elements = 1;
      for (const int64_t size : spec.shape) elements *= size;
      parameters += elements;
    }
    EXPECT_EQ(parameters, entry["cifar"]["params"].get<int64_t>());
  }
}

TEST(NetworkGraphTest, ThresholdCell) {
  NetworkConfig config;
  config.init_channels = 4;
  config.layers = 3;
  const NetworkGraph graph = GraphOf(kThreshold, config);
  // Cell 0 after the stem: two preprocessings, the operations node by node.
  std::vector<std::string> weights;
  for (size_t i = 0; i < 14; ++i) weights.push_back(graph.layers[i].weight);
  EXPECT_THAT(
      weights,
      ElementsAre(
          "stem.0.weight", "cells.0.preprocess0.op.1.weight",
          "cells.0.preprocess1.op.1.weight", "cells.0._ops.2.1.1.op.1.weight",
          "cells.0._ops.2.1.1.op.2.weight", "cells.0._ops.2.1.1.op.5.weight",
          "cells.0._ops.2.1.1.op.6.weight", "",
          "cells.0._ops.4.2.0.op.1.weight", "cells.0._ops.4.2.0.op.2.weight",
          "", "", "cells.0._ops.5.0.0.op.1.weight",
          "cells.0._ops.5.0.0.op.2.weight"));
  const Layer& node2 = graph.layers[7];
  EXPECT_EQ(node2.kind, Layer::Kind::kSum);
  EXPECT_THAT(node2.inputs, ElementsAre(2, 6));
  EXPECT_EQ(graph.layers[8].dilation, 2);
  EXPECT_EQ(graph.layers[8].padding_height(), 4);
  EXPECT_EQ(graph.layers[10].kind, Layer::Kind::kMaxPool);
  EXPECT_THAT(graph.layers[11].inputs, ElementsAre(9, 10));
  // The output in the order in which the edges first feed a node: 5, 4, 2.
  const Layer& output = graph.layers[17];
  EXPECT_EQ(output.kind, Layer::Kind::kConcat);
  EXPECT_THAT(output.inputs, ElementsAre(16, 11, 7));
  EXPECT_EQ(output.out.channels, 12);
}

TEST(NetworkGraphTest, ImageNetStemAndWindow) {
  NetworkConfig config = NetworkConfig::ImageNet();
  config.init_channels = 16;
  config.image_size = 288;
  const NetworkGraph graph = GraphOf(kThreshold, config);
  const auto expect_stem = [&](int i, const char* weight, const char* norm,
                               int channels, int size, bool relu) {
    const Layer& layer = graph.layers[i];
    EXPECT_EQ(layer.weight, weight);
    EXPECT_EQ(layer.batch_norm, norm);
    EXPECT_EQ(layer.out.channels, channels);
    EXPECT_EQ(layer.out.height, size);
    EXPECT_EQ(layer.relu, relu);
    EXPECT_EQ(layer.stride_height, 2);
  };
  expect_stem(0, "stem0.0.weight", "stem0.1", 8, 144, false);
  expect_stem(1, "stem0.3.weight", "stem0.4", 16, 72, true);
  expect_stem(2, "stem1.1.weight", "stem1.2", 16, 36, true);
  EXPECT_EQ(graph.layers[3].kind, Layer::Kind::kFactorizedReduce);
  EXPECT_THAT(graph.layers[3].inputs, ElementsAre(1));
  EXPECT_EQ(graph.layers[3].weight_odd, "cells.0.preprocess0.conv_2.weight");
  // A last map of 9x9, of which the published network averages 7x7.
  const Layer& average = graph.layers[graph.layers.size() - 2];
  EXPECT_EQ(average.kind, Layer::Kind::kMapAverage);
  EXPECT_EQ(average.kernel_height, 7);
  EXPECT_EQ(graph.ShapeOf(average.inputs[0]).height, 9);
}

TEST(NetworkGraphTest, LiveLeavesOutWhatReachesNothing) {
  NetworkConfig config;
  config.init_channels = 4;
  config.layers = 3;
  // Node 3 is read by nobody and not in the output; input 0 feeds it alone.
  const NetworkGraph graph = GraphOf(
      "Genotype(normal=[('sep_conv_3x3', 1), ('skip_connect', 1), "
      "('sep_conv_5x5', 0), ('max_pool_3x3', 0)], normal_concat=[2], "
      "reduce=[('max_pool_3x3', 0), ('skip_connect', 1)], reduce_concat=[2])",
      config);
  const std::vector<bool> live = graph.Live();
  for (size_t i = 0; i < live.size(); ++i) {
    const std::string& weight = graph.layers[i].weight;
    if (absl::StrContains(weight, "cells.0.preprocess0") ||
        absl::StrContains(weight, "cells.0._ops.2")) {
      EXPECT_FALSE(live[i]) << weight;
    }
    if (absl::StrContains(weight, "cells.0._ops.0") ||
        absl::StrContains(weight, "cells.1.preprocess0")) {
      EXPECT_TRUE(live[i]) << weight;
    }
  }
  EXPECT_TRUE(live.back());
}

TEST(NetworkGraphTest, RefusesWhatIsTooLargeOrNoNetwork) {
  const absl::StatusOr<Genotype> genotype = ParsePythonGenotype(kThreshold);
  ASSERT_THAT(genotype, IsOk());
  Genotype many = *genotype;
  for (int to = 3; to < kMaxCellNodes; ++to) {
    for (int from = 0; from < to; ++from) {
      many.normal.edges.push_back({Primitive::kDilConv3x3, to, from});
    }
  }
  NetworkConfig config;
  config.layers = 1000;
  EXPECT_THAT(MakeNetworkGraph(many, config),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "layers: 1000 cells of up to"));
  config.layers = 0;
  EXPECT_THAT(MakeNetworkGraph(*genotype, config),
              StatusIs(absl::StatusCode::kInvalidArgument, "layers: is 0"));
  config.layers = 3;
  config.init_channels = 3;
  EXPECT_THAT(
      MakeNetworkGraph(*genotype, config),
      StatusIs(absl::StatusCode::kInvalidArgument, "init_channels: is"));
}

}  // namespace
}  // namespace fairdarts
