#include "fairdarts/runtime/network_graph.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "genotypes/cell_graph.h"
#include "genotypes/edge_layout.h"
#include "genotypes/reduction_cells.h"

namespace fairdarts {
namespace {

// Appends layers; every function gives the index of the last one.
class Builder {
 public:
  explicit Builder(NetworkGraph* graph) : graph_(*graph) {}

  int Convolution(int input, int channels, int kernel, int stride, bool relu,
                  const std::string& weight, const std::string& batch_norm) {
    Layer layer = Strided(Layer::Kind::kConvolution, input, stride, stride);
    layer.out.channels = channels;
    layer.relu = relu;
    layer.kernel_height = layer.kernel_width = kernel;
    layer.weight = weight;
    layer.batch_norm = batch_norm;
    return Add(std::move(layer));
  }

  // ReLU, depthwise, 1x1, batch norm: items `first` to `first` + 3 of `name`.
  int Separable(int input, int kernel, int stride, int dilation,
                const std::string& name, int first) {
    const int channels = graph_.ShapeOf(input).channels;
    Layer layer = Strided(Layer::Kind::kConvolution, input, stride, stride);
    layer.relu = true;
    layer.kernel_height = layer.kernel_width = kernel;
    layer.dilation = dilation;
    layer.depthwise = true;
    layer.weight = absl::StrCat(name, ".", first + 1, ".weight");
    const int depthwise = Add(std::move(layer));
    return Convolution(depthwise, channels, /*kernel=*/1, /*stride=*/1,
                       /*relu=*/false,
                       absl::StrCat(name, ".", first + 2, ".weight"),
                       absl::StrCat(name, ".", first + 3));
  }

  int ReluConvBatchNorm(int input, int channels, const std::string& name) {
    return Convolution(input, channels, /*kernel=*/1, /*stride=*/1,
                       /*relu=*/true, absl::StrCat(name, ".op.1.weight"),
                       absl::StrCat(name, ".op.2"));
  }

  int FactorizedReduce(int input, int channels, const std::string& name) {
    Layer layer = Strided(Layer::Kind::kFactorizedReduce, input, 2, 2);
    layer.out.channels = channels;
    layer.relu = true;
    layer.weight = absl::StrCat(name, ".conv_1.weight");
    layer.weight_odd = absl::StrCat(name, ".conv_2.weight");
    layer.batch_norm = absl::StrCat(name, ".bn");
    return Add(std::move(layer));
  }

  int Operation(Primitive op, int input, int stride, const std::string& name) {
    const int channels = graph_.ShapeOf(input).channels;
    const std::string op_name = absl::StrCat(name, ".op");
    const auto separable_twice = [&](int kernel) {
      const int first = Separable(input, kernel, stride, 1, op_name, 0);
      return Separable(first, kernel, 1, 1, op_name, 4);
    };
    switch (op) {
      case Primitive::kMaxPool3x3:
      case Primitive::kAvgPool3x3: {
        Layer layer =
            Strided(op == Primitive::kMaxPool3x3 ? Layer::Kind::kMaxPool
                                                 : Layer::Kind::kAveragePool,
                    input, stride, stride);
        layer.kernel_height = layer.kernel_width = 3;
        return Add(std::move(layer));
      }
      case Primitive::kSkipConnect:
        return stride == 1 ? input : FactorizedReduce(input, channels, name);
      case Primitive::kSepConv3x3:
        return separable_twice(3);
      case Primitive::kSepConv5x5:
        return separable_twice(5);
      case Primitive::kSepConv7x7:
        return separable_twice(7);
      case Primitive::kDilConv3x3:
        return Separable(input, 3, stride, 2, op_name, 0);
      case Primitive::kDilConv5x5:
        return Separable(input, 5, stride, 2, op_name, 0);
      case Primitive::kConv7x1_1x7: {
        Layer row = Strided(Layer::Kind::kConvolution, input, 1, stride);
        row.relu = true;
        row.kernel_width = 7;
        row.weight = absl::StrCat(name, ".1.weight");
        const int rows = Add(std::move(row));
        Layer column = Strided(Layer::Kind::kConvolution, rows, stride, 1);
        column.kernel_height = 7;
        column.weight = absl::StrCat(name, ".2.weight");
        column.batch_norm = absl::StrCat(name, ".3");
        return Add(std::move(column));
      }
    }
    FD_CHECK(false) << "unknown primitive " << static_cast<int>(op);
    return input;
  }

  int Sum(std::vector<int> inputs, std::vector<float> scales) {
    Layer layer;
    layer.kind = Layer::Kind::kSum;
    layer.out = graph_.ShapeOf(inputs.front());
    layer.inputs = std::move(inputs);
    layer.scales = std::move(scales);
    return Add(std::move(layer));
  }

  int Concat(std::vector<int> inputs) {
    Layer layer;
    layer.kind = Layer::Kind::kConcat;
    layer.out = graph_.ShapeOf(inputs.front());
    layer.out.channels = 0;
    for (const int input : inputs) {
      layer.out.channels += graph_.ShapeOf(input).channels;
    }
    layer.inputs = std::move(inputs);
    return Add(std::move(layer));
  }

  void Classifier(int input, int window, int classes) {
    Layer average;
    average.kind = Layer::Kind::kMapAverage;
    average.inputs = {input};
    average.out = {graph_.ShapeOf(input).channels, 1, 1};
    average.kernel_height = average.kernel_width = window;
    Layer linear;
    linear.kind = Layer::Kind::kLinear;
    linear.inputs = {Add(std::move(average))};
    linear.out = {classes, 1, 1};
    linear.weight = "classifier.weight";
    linear.bias = "classifier.bias";
    Add(std::move(linear));
  }

 private:
  // A layer with as many channels as its input.
  Layer Strided(Layer::Kind kind, int input, int stride_height,
                int stride_width) const {
    const MapShape& in = graph_.ShapeOf(input);
    Layer layer;
    layer.kind = kind;
    layer.inputs = {input};
    layer.stride_height = stride_height;
    layer.stride_width = stride_width;
    layer.out = {in.channels, (in.height + stride_height - 1) / stride_height,
                 (in.width + stride_width - 1) / stride_width};
    return layer;
  }

  int Add(Layer layer) {
    graph_.layers.push_back(std::move(layer));
    return static_cast<int>(graph_.layers.size()) - 1;
  }

  NetworkGraph& graph_;
};

struct CellPlace {
  std::string name;  // "cells.3"
  bool reduction;
  bool reduction_before;
  int channels;
};

int AddCell(const GenotypeCell& cell, GenotypeForm form, const CellPlace& place,
            int before_previous, int previous, Builder& builder) {
  const CellGraph graph = MakeCellGraph(cell, form);
  std::vector<int> states(graph.states(), NetworkGraph::kImage);
  const std::string preprocess0 = absl::StrCat(place.name, ".preprocess0");
  states[0] = place.reduction_before
                  ? builder.FactorizedReduce(before_previous, place.channels,
                                             preprocess0)
                  : builder.ReluConvBatchNorm(before_previous, place.channels,
                                              preprocess0);
  states[1] = builder.ReluConvBatchNorm(
      previous, place.channels, absl::StrCat(place.name, ".preprocess1"));

  // Operations of threshold cells are numbered within their (to, from).
  std::map<std::pair<int, int>, int> numbers;
  std::vector<std::string> names;
  for (size_t i = 0; i < cell.edges.size(); ++i) {
    const GenotypeEdge& edge = cell.edges[i];
    names.push_back(form == GenotypeForm::kThreshold
                        ? absl::StrCat(place.name, "._ops.", edge.to, ".",
                                       edge.from, ".",
                                       numbers[{edge.to, edge.from}]++)
                        : absl::StrCat(place.name, "._ops.", i));
  }
  // Edges read earlier states, but their order in the text is free.
  for (int node = kCellInputs; node < graph.states(); ++node) {
    if (!graph.exists[node]) continue;
    std::vector<int> inputs;
    std::vector<float> scales;
    for (size_t i = 0; i < cell.edges.size(); ++i) {
      const GenotypeEdge& edge = cell.edges[i];
      if (edge.to != node || !graph.live[i]) continue;
      const int stride = place.reduction && edge.from < kCellInputs ? 2 : 1;
      inputs.push_back(
          builder.Operation(edge.op, states[edge.from], stride, names[i]));
      scales.push_back(static_cast<float>(edge.weight));
    }
    states[node] = builder.Sum(std::move(inputs), std::move(scales));
  }
  std::vector<int> output;
  for (const int state : graph.output) output.push_back(states[state]);
  return builder.Concat(std::move(output));
}

}  // namespace

std::vector<bool> NetworkGraph::Live() const {
  std::vector<bool> live(layers.size(), false);
  if (layers.empty()) return live;
  live.back() = true;
  for (int i = static_cast<int>(layers.size()) - 1; i >= 0; --i) {
    if (!live[i]) continue;
    for (const int input : layers[i].inputs) {
      if (input != kImage) live[input] = true;
    }
  }
  return live;
}

absl::StatusOr<NetworkGraph> MakeNetworkGraph(const Genotype& genotype,
                                              const NetworkConfig& config) {
  const int64_t edges = static_cast<int64_t>(
      std::max(genotype.normal.edges.size(), genotype.reduce.edges.size()));
  if (config.layers > 0 && edges > kMaxNetworkOperations / config.layers) {
    return UsageError(absl::StrCat(
        "layers: ", config.layers, " cells of up to ", edges,
        " operations; a network has at most ", kMaxNetworkOperations));
  }
  NetworkConfig without_head = config;
  without_head.auxiliary = false;
  FD_RETURN_IF_ERROR(ComputeNetworkCost(genotype, without_head));

  NetworkGraph graph;
  graph.image = {config.image_channels, config.image_size, config.image_size};
  Builder builder(&graph);
  const bool imagenet = config.kind == NetworkConfig::Kind::kImageNet;
  int before_previous;
  int previous;
  if (imagenet) {
    const int half = config.init_channels / 2;
    const int first = builder.Convolution(NetworkGraph::kImage, half, 3, 2,
                                          false, "stem0.0.weight", "stem0.1");
    before_previous = builder.Convolution(first, config.init_channels, 3, 2,
                                          true, "stem0.3.weight", "stem0.4");
    previous = builder.Convolution(before_previous, config.init_channels, 3, 2,
                                   true, "stem1.1.weight", "stem1.2");
  } else {
    previous =
        builder.Convolution(NetworkGraph::kImage, 3 * config.init_channels, 3,
                            1, false, "stem.0.weight", "stem.1");
    before_previous = previous;
  }
  CellPlace place;
  place.channels = config.init_channels;
  place.reduction_before = imagenet;
  for (int i = 0; i < config.layers; ++i) {
    place.name = absl::StrCat("cells.", i);
    place.reduction = IsReduction(i, config.layers);
    if (place.reduction) place.channels *= 2;
    const int output =
        AddCell(place.reduction ? genotype.reduce : genotype.normal,
                genotype.form, place, before_previous, previous, builder);
    before_previous = previous;
    previous = output;
    place.reduction_before = place.reduction;
  }
  constexpr int kImageNetWindow = 7;
  builder.Classifier(
      previous, imagenet ? kImageNetWindow : graph.ShapeOf(previous).height,
      config.classes);
  return graph;
}

std::vector<TensorSpec> ExpectedTensors(const NetworkGraph& graph) {
  std::vector<TensorSpec> specs;
  for (const Layer& layer : graph.layers) {
    if (layer.weight.empty()) continue;
    const int64_t in = graph.ShapeOf(layer.inputs.front()).channels;
    const int64_t out = layer.out.channels;
    switch (layer.kind) {
      case Layer::Kind::kLinear:
        specs.push_back({layer.weight, {out, in}});
        specs.push_back({layer.bias, {out}});
        break;
      case Layer::Kind::kFactorizedReduce:
        specs.push_back({layer.weight, {out / 2, in, 1, 1}});
        specs.push_back({layer.weight_odd, {out / 2, in, 1, 1}});
        break;
      default:
        specs.push_back({layer.weight,
                         {out, layer.depthwise ? 1 : in, layer.kernel_height,
                          layer.kernel_width}});
        break;
    }
    if (layer.batch_norm.empty()) continue;
    for (const absl::string_view part :
         {"weight", "bias", "running_mean", "running_var"}) {
      specs.push_back({absl::StrCat(layer.batch_norm, ".", part), {out}});
    }
  }
  return specs;
}

}  // namespace fairdarts
