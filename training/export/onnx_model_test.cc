#include "training/export/onnx_model.h"

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "fairdarts/runtime/testing.h"
#include "genotypes/catalog.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

constexpr uint64_t kSeed = 3;

ModelFile SmallModel(const std::string& genotype) {
  NetworkConfig network;
  network.init_channels = 4;
  network.layers = 3;
  network.image_size = 16;
  return FilledModel(DescriptionOf(genotype, network), kSeed);
}

std::vector<int64_t> Ints(const onnx::NodeProto& node,
                          const std::string& name) {
  for (const onnx::AttributeProto& attribute : node.attribute()) {
    if (attribute.name() == name) {
      return {attribute.ints().begin(), attribute.ints().end()};
    }
  }
  ADD_FAILURE() << node.name() << " has no " << name;
  return {};
}

const onnx::NodeProto& NodeWithInput(const onnx::GraphProto& graph,
                                     const std::string& input) {
  for (const onnx::NodeProto& node : graph.node()) {
    for (const std::string& name : node.input()) {
      if (name == input) return node;
    }
  }
  ADD_FAILURE() << "nothing reads " << input;
  static const onnx::NodeProto none;
  return none;
}

std::map<std::string, int> CountTypes(const onnx::GraphProto& graph) {
  std::map<std::string, int> counts;
  for (const onnx::NodeProto& node : graph.node()) ++counts[node.op_type()];
  return counts;
}

// Names are defined once, before they are read, and all are read.
void CheckGraph(const onnx::GraphProto& graph) {
  std::set<std::string> defined = {graph.input(0).name()};
  std::set<std::string> unread;
  const auto define = [&](const std::string& name) {
    EXPECT_TRUE(defined.insert(name).second) << name << " twice";
    unread.insert(name);
  };
  for (const onnx::TensorProto& tensor : graph.initializer()) {
    define(tensor.name());
  }
  for (const onnx::NodeProto& node : graph.node()) {
    for (const std::string& input : node.input()) {
      EXPECT_EQ(defined.count(input), 1u) << input;
      unread.erase(input);
    }
    for (const std::string& output : node.output()) define(output);
  }
  EXPECT_THAT(unread, ElementsAre("logits"));
}

TEST(OnnxModelTest, EveryPublishedGenotypeMakesAGraph) {
  for (const CatalogEntry& entry : Catalog()) {
    SCOPED_TRACE(entry.key());
    NetworkConfig network;
    network.init_channels = 2;
    network.layers = 3;
    network.image_size = 8;
    const ModelDescription description = DescriptionOf(entry.genotype, network);
    const ModelFile file = FilledModel(description, kSeed);
    const onnx::ModelProto model = OnnxModel(file);
    CheckGraph(model.graph());
    // Every live layer's weight is there.
    const std::vector<bool> live = file.graph().Live();
    std::set<std::string> initializers;
    for (const auto& tensor : model.graph().initializer()) {
      initializers.insert(tensor.name());
    }
    for (size_t i = 0; i < live.size(); ++i) {
      const std::string& weight = file.graph().layers[i].weight;
      if (weight.empty()) continue;
      EXPECT_EQ(initializers.count(weight) == 1, live[i]) << weight;
    }
  }
}

TEST(OnnxModelTest, NodesOfASmallNetwork) {
  // A weighted pair, a dead node 3, a dilated 5x5 and the reduction's skips.
  const ModelFile file = SmallModel(
      "Genotype(normal=[('dil_conv_5x5', 0, 0.5), ('skip_connect', 1, 1.0), "
      "('sep_conv_7x7', 0, 1.0), ('avg_pool_3x3', 2, 1.0)], "
      "normal_concat=[2], reduce=[('skip_connect', 0, 1.0), "
      "('max_pool_3x3', 1, -2.0)], reduce_concat=[2])");
  const onnx::ModelProto model = OnnxModel(file);
  const onnx::GraphProto& graph = model.graph();
  CheckGraph(graph);
  EXPECT_EQ(model.ir_version(), 7);
  ASSERT_EQ(model.opset_import_size(), 1);
  EXPECT_EQ(model.opset_import(0).version(), 13);
  EXPECT_EQ(graph.input(0).name(), "images");
  const auto& shape = graph.input(0).type().tensor_type().shape();
  EXPECT_EQ(shape.dim(0).dim_param(), "N");
  EXPECT_EQ(shape.dim(1).dim_value(), 3);
  EXPECT_EQ(shape.dim(3).dim_value(), 16);
  EXPECT_EQ(graph.output(0).name(), "logits");
  EXPECT_EQ(graph.output(0).type().tensor_type().shape().dim(1).dim_value(),
            10);

  // Cells 1 and 2 are reduction cells; in each of the three, two
  // preprocessings (cell 2's first is a FactorizedReduce of two convolutions).
  std::map<std::string, int> counts = CountTypes(graph);
  EXPECT_EQ(counts["Conv"], 1 + (2 + 2) + (2 + 2) + (3 + 2));
  EXPECT_EQ(counts["Slice"], 3);
  EXPECT_EQ(counts["Mul"], 3);
  EXPECT_EQ(counts["Add"], 3);
  EXPECT_EQ(counts["MaxPool"], 2);
  EXPECT_EQ(counts["AveragePool"], 0);
  EXPECT_EQ(counts["GlobalAveragePool"], 1);
  EXPECT_EQ(counts["Gemm"], 1);

  const onnx::NodeProto& dilated =
      NodeWithInput(graph, "cells.0._ops.0.op.1.weight");
  EXPECT_EQ(dilated.op_type(), "Conv");
  EXPECT_THAT(Ints(dilated, "kernel_shape"), ElementsAre(5, 5));
  EXPECT_THAT(Ints(dilated, "dilations"), ElementsAre(2, 2));
  EXPECT_THAT(Ints(dilated, "pads"), ElementsAre(4, 4, 4, 4));
  EXPECT_THAT(Ints(dilated, "strides"), ElementsAre(1, 1));
  const onnx::NodeProto& odd =
      NodeWithInput(graph, "cells.1._ops.0.conv_2.weight");
  EXPECT_THAT(Ints(odd, "strides"), ElementsAre(2, 2));
  EXPECT_THAT(Ints(odd, "pads"), ElementsAre(0, 0, 0, 0));
  EXPECT_TRUE(absl::EndsWith(odd.input(0), ".odd_rows"));
  // The dead node's weights are in the file and not in the graph.
  EXPECT_EQ(file.Tensor("cells.0._ops.2.op.1.weight").shape[0], 4);
  for (const onnx::TensorProto& tensor : graph.initializer()) {
    EXPECT_FALSE(absl::StrContains(tensor.name(), "_ops.2.")) << tensor.name();
    if (tensor.name() == "classifier.weight") {
      EXPECT_EQ(tensor.raw_data(),
                std::string(file.Tensor("classifier.weight").data));
      EXPECT_THAT(tensor.dims(), ElementsAre(10, 16));
    }
  }
  std::vector<std::string> keys;
  for (const auto& entry : model.metadata_props()) keys.push_back(entry.key());
  EXPECT_THAT(keys, Contains("genotype"));
  EXPECT_THAT(keys, Contains("mean"));
}

TEST(OnnxModelTest, OddMapsAndTheImageNetWindow) {
  NetworkConfig network = NetworkConfig::ImageNet();
  network.init_channels = 2;
  network.layers = 3;
  network.image_size = 232;  // 29, 15, 8 behind the stem
  const ModelFile file = FilledModel(
      DescriptionOf("Genotype(normal=[('skip_connect', 2, 0)], "
                    "normal_concat=[2], reduce=[('skip_connect', 2, 1)], "
                    "reduce_concat=[2])",
                    network),
      kSeed);
  const onnx::ModelProto model = OnnxModel(file);
  CheckGraph(model.graph());
  // 29 columns: the odd ones are 14, and one of zeros makes them 15.
  EXPECT_THAT(
      Ints(NodeWithInput(model.graph(), "cells.1._ops.2.1.0.conv_2.weight"),
           "pads"),
      ElementsAre(0, 0, 1, 1));
  std::map<std::string, int> counts = CountTypes(model.graph());
  EXPECT_EQ(counts["GlobalAveragePool"], 0);
  EXPECT_EQ(counts["AveragePool"], 1);
}

TEST(OnnxModelTest, BytesAreReadBackAndTheSameEachTime) {
  const ModelFile file = SmallModel(
      "Genotype(normal=[('skip_connect', 2, 0)], "
      "normal_concat=[2], reduce=[('max_pool_3x3', 2, 1)], "
      "reduce_concat=[2])");
  const absl::StatusOr<std::string> bytes = SerializeOnnxModel(file);
  ASSERT_THAT(bytes, IsOk());
  EXPECT_EQ(*bytes, *SerializeOnnxModel(file));
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(*bytes));
  EXPECT_EQ(model.graph().node_size(), OnnxModel(file).graph().node_size());
}

}  // namespace
}  // namespace fairdarts
