#include "training/export/onnx_model.h"

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "fairdarts/runtime/network_graph.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace fairdarts {
namespace {

constexpr int kOperatorSet = 13;
constexpr int kIrVersion = 7;  // that of operator set 13

std::string Text(absl::string_view text) { return std::string(text); }

// Writes one node for each layer, or a few.
class OnnxBuilder {
 public:
  OnnxBuilder(const ModelFile& file, onnx::GraphProto* graph)
      : file_(file), layers_(file.graph()), graph_(*graph) {}

  void Build() {
    graph_.set_name("derived_network");
    const MapShape& image = layers_.image;
    DescribeValue("images", {image.channels, image.height, image.width},
                  graph_.add_input());
    const std::vector<bool> live = layers_.Live();
    for (size_t i = 0; i < layers_.layers.size(); ++i) {
      if (live[i]) values_[static_cast<int>(i)] = AddLayer(i);
    }
    const size_t last = layers_.layers.size() - 1;
    FD_CHECK_EQ(values_[static_cast<int>(last)], "logits");
    DescribeValue("logits", {layers_.layers[last].out.channels},
                  graph_.add_output());
  }

 private:
  void DescribeValue(const std::string& name, const std::vector<int>& sizes,
                     onnx::ValueInfoProto* value) {
    value->set_name(name);
    onnx::TypeProto::Tensor* const type =
        value->mutable_type()->mutable_tensor_type();
    type->set_elem_type(onnx::TensorProto::FLOAT);
    type->mutable_shape()->add_dim()->set_dim_param("N");
    for (const int size : sizes) {
      type->mutable_shape()->add_dim()->set_dim_value(size);
    }
  }

  // The value of an input of a layer.
  std::string Value(int layer) {
    if (layer == NetworkGraph::kImage) return "images";
    return values_.at(layer);
  }

  // max(value, 0), once for all that want it.
  std::string Relu(const std::string& value) {
    std::string& relu = relus_[value];
    if (relu.empty()) {
      relu = absl::StrCat(value, ".relu");
      AddNode("Relu", {value}, relu);
    }
    return relu;
  }

  onnx::NodeProto* AddNode(absl::string_view type,
                           const std::vector<std::string>& inputs,
                           const std::string& output) {
    onnx::NodeProto* const node = graph_.add_node();
    node->set_op_type(Text(type));
    node->set_name(output);
    for (const std::string& input : inputs) node->add_input(input);
    node->add_output(output);
    return node;
  }

  static void SetInts(onnx::NodeProto* node, absl::string_view name,
                      const std::vector<int>& values) {
    onnx::AttributeProto* const attribute = node->add_attribute();
    attribute->set_name(Text(name));
    attribute->set_type(onnx::AttributeProto::INTS);
    for (const int value : values) attribute->add_ints(value);
  }

  static void SetInt(onnx::NodeProto* node, absl::string_view name, int value) {
    onnx::AttributeProto* const attribute = node->add_attribute();
    attribute->set_name(Text(name));
    attribute->set_type(onnx::AttributeProto::INT);
    attribute->set_i(value);
  }

  static void SetFloat(onnx::NodeProto* node, absl::string_view name,
                       float value) {
    onnx::AttributeProto* const attribute = node->add_attribute();
    attribute->set_name(Text(name));
    attribute->set_type(onnx::AttributeProto::FLOAT);
    attribute->set_f(value);
  }

  // A tensor of the file under its own name.
  std::string Weight(const std::string& name) {
    const TensorView& view = file_.Tensor(name);
    onnx::TensorProto* const tensor = graph_.add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(onnx::TensorProto::FLOAT);
    for (const int64_t size : view.shape) tensor->add_dims(size);
    // Little-endian, as the format wants it.
    tensor->set_raw_data(view.data.data(), view.data.size());
    return name;
  }

  std::string Integers(const std::string& name,
                       const std::vector<int64_t>& values) {
    onnx::TensorProto* const tensor = graph_.add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(onnx::TensorProto::INT64);
    tensor->add_dims(static_cast<int64_t>(values.size()));
    for (const int64_t value : values) tensor->add_int64_data(value);
    return name;
  }

  std::string Convolution(const std::string& input, const Layer& layer,
                          const std::string& weight,
                          const std::vector<int>& pads) {
    // A weight is one layer's alone, so its name names the output too.
    const std::string output = absl::StrCat(weight, ".out");
    onnx::NodeProto* const node =
        AddNode("Conv", {input, Weight(weight)}, output);
    SetInts(node, "kernel_shape", {layer.kernel_height, layer.kernel_width});
    SetInts(node, "strides", {layer.stride_height, layer.stride_width});
    SetInts(node, "dilations", {layer.dilation, layer.dilation});
    SetInts(node, "pads", pads);
    SetInt(node, "group", layer.depthwise ? layer.out.channels : 1);
    return output;
  }

  std::string BatchNorm(const std::string& input, const std::string& name) {
    const std::string output = absl::StrCat(name, ".out");
    onnx::NodeProto* const node =
        AddNode("BatchNormalization",
                {input, Weight(absl::StrCat(name, ".weight")),
                 Weight(absl::StrCat(name, ".bias")),
                 Weight(absl::StrCat(name, ".running_mean")),
                 Weight(absl::StrCat(name, ".running_var"))},
                output);
    SetFloat(node, "epsilon", static_cast<float>(kBatchNormEpsilon));
    return output;
  }

  std::string FactorizedReduce(const std::string& input, const Layer& layer) {
    const std::string even =
        Convolution(input, layer, layer.weight, {0, 0, 0, 0});
    const MapShape& in = layers_.ShapeOf(layer.inputs.front());
    const std::string name = layer.batch_norm;
    const std::string odd_rows = absl::StrCat(name, ".odd_rows");
    constexpr int64_t kToTheEnd = INT64_MAX;
    AddNode("Slice",
            {input, Integers(absl::StrCat(name, ".starts"), {1, 1}),
             Integers(absl::StrCat(name, ".ends"), {kToTheEnd, kToTheEnd}),
             Integers(absl::StrCat(name, ".axes"), {2, 3})},
            odd_rows);
    const std::string odd = Convolution(odd_rows, layer, layer.weight_odd,
                                        {0, 0, in.height % 2, in.width % 2});
    const std::string both = absl::StrCat(name, ".in");
    SetInt(AddNode("Concat", {even, odd}, both), "axis", 1);
    return BatchNorm(both, name);
  }

  std::string Pool(const std::string& input, const Layer& layer,
                   const std::string& output) {
    const bool average = layer.kind == Layer::Kind::kAveragePool;
    onnx::NodeProto* const node =
        AddNode(average ? "AveragePool" : "MaxPool", {input}, output);
    SetInts(node, "kernel_shape", {layer.kernel_height, layer.kernel_width});
    SetInts(node, "strides", {layer.stride_height, layer.stride_width});
    SetInts(node, "pads", {1, 1, 1, 1});
    if (average) SetInt(node, "count_include_pad", 0);
    return output;
  }

  std::string Scaled(const std::string& value, float scale,
                     const std::string& name) {
    if (scale == 1) return value;
    onnx::TensorProto* const tensor = graph_.add_initializer();
    tensor->set_name(absl::StrCat(name, ".scale"));
    tensor->set_data_type(onnx::TensorProto::FLOAT);
    tensor->add_float_data(scale);
    AddNode("Mul", {value, tensor->name()}, name);
    return name;
  }

  std::string Sum(const Layer& layer, const std::string& name) {
    std::string sum;
    for (size_t i = 0; i < layer.inputs.size(); ++i) {
      const std::string term = Scaled(Value(layer.inputs[i]), layer.scales[i],
                                      absl::StrCat(name, ".term", i));
      if (i == 0) {
        sum = term;
        continue;
      }
      const std::string next = absl::StrCat(name, ".sum", i);
      AddNode("Add", {sum, term}, next);
      sum = next;
    }
    return sum;
  }

  // The value of a layer, whose nodes are added.
  std::string AddLayer(size_t index) {
    const Layer& layer = layers_.layers[index];
    const std::string name = absl::StrCat("layer", index);
    std::string input = Value(layer.inputs.front());
    if (layer.relu) input = Relu(input);
    switch (layer.kind) {
      case Layer::Kind::kConvolution: {
        const int rows = layer.padding_height();
        const int columns = layer.padding_width();
        const std::string output = Convolution(input, layer, layer.weight,
                                               {rows, columns, rows, columns});
        return layer.batch_norm.empty() ? output
                                        : BatchNorm(output, layer.batch_norm);
      }
      case Layer::Kind::kFactorizedReduce:
        return FactorizedReduce(input, layer);
      case Layer::Kind::kMaxPool:
      case Layer::Kind::kAveragePool:
        return Pool(input, layer, name);
      case Layer::Kind::kSum:
        return Sum(layer, name);
      case Layer::Kind::kConcat: {
        std::vector<std::string> inputs;
        for (const int from : layer.inputs) inputs.push_back(Value(from));
        SetInt(AddNode("Concat", inputs, name), "axis", 1);
        return name;
      }
      case Layer::Kind::kMapAverage: {
        const MapShape& in = layers_.ShapeOf(layer.inputs.front());
        if (layer.kernel_height == in.height &&
            layer.kernel_width == in.width) {
          AddNode("GlobalAveragePool", {input}, name);
          return name;
        }
        onnx::NodeProto* const node = AddNode("AveragePool", {input}, name);
        const std::vector<int> window = {layer.kernel_height,
                                         layer.kernel_width};
        SetInts(node, "kernel_shape", window);
        SetInts(node, "strides", window);
        return name;
      }
      case Layer::Kind::kLinear: {
        const std::string flat = absl::StrCat(name, ".in");
        SetInt(AddNode("Flatten", {input}, flat), "axis", 1);
        SetInt(AddNode("Gemm", {flat, Weight(layer.weight), Weight(layer.bias)},
                       "logits"),
               "transB", 1);
        return "logits";
      }
    }
    FD_CHECK(false) << "unknown layer " << static_cast<int>(layer.kind);
    return "";
  }

  const ModelFile& file_;
  const NetworkGraph& layers_;
  onnx::GraphProto& graph_;
  std::map<int, std::string> values_;
  std::map<std::string, std::string> relus_;
};

}  // namespace

onnx::ModelProto OnnxModel(const ModelFile& file) {
  onnx::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("fairdarts");
  model.add_opset_import()->set_version(kOperatorSet);
  for (const auto& [key, value] : DescriptionMetadata(file.description())) {
    onnx::StringStringEntryProto* const entry = model.add_metadata_props();
    entry->set_key(key);
    entry->set_value(value);
  }
  OnnxBuilder(file, model.mutable_graph()).Build();
  return model;
}

absl::StatusOr<std::string> SerializeOnnxModel(const ModelFile& file) {
  const onnx::ModelProto model = OnnxModel(file);
  if (model.ByteSizeLong() > INT32_MAX) {
    return UsageError(absl::StrCat("an ONNX file of ", model.ByteSizeLong(),
                                   " bytes; the format ends at 2 GB"));
  }
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  FD_CHECK(model.SerializeToCodedStream(&coded)) << "ONNX";
  coded.Trim();
  return bytes;
}

}  // namespace fairdarts
