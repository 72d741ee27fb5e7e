#include "genotypes/cost.h"

#include <limits>
#include <utility>

#include "absl/numeric/int128.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "genotypes/cell_graph.h"
#include "genotypes/edge_layout.h"
#include "genotypes/reduction_cells.h"

namespace fairdarts {
namespace {

struct MapSize {
  int height;
  int width;

  // What a padded operation of this stride makes of it.
  MapSize Strided(int stride) const {
    return {(height + stride - 1) / stride, (width + stride - 1) / stride};
  }
  absl::int128 pixels() const { return absl::int128(height) * width; }
};

// Adds up layers. Wide enough for every config that CheckConfig lets pass, so
// that only the end result has to be checked.
class Meter {
 public:
  // `out` is the size of the map that the convolution makes.
  void Convolution(int64_t in_channels, int64_t out_channels, int kernel_height,
                   int kernel_width, MapSize out, bool depthwise = false) {
    const absl::int128 weights = absl::int128(out_channels) *
                                 (depthwise ? 1 : in_channels) * kernel_height *
                                 kernel_width;
    parameters_ += weights;
    macs_ += weights * out.pixels();
  }

  void BatchNorm(int64_t channels) { parameters_ += 2 * channels; }

  void Linear(int64_t in, int64_t out) {
    parameters_ += absl::int128(in) * out + out;
    macs_ += absl::int128(in) * out;
  }

  void ReluConvBatchNorm(int64_t in_channels, int64_t out_channels,
                         MapSize size) {
    Convolution(in_channels, out_channels, 1, 1, size);
    BatchNorm(out_channels);
  }

  // Two 1x1 convolutions of stride 2 to half the channels each, the second on
  // the map without its first row and column, padded where that leaves it
  // smaller.
  absl::Status FactorizedReduce(int64_t in_channels, int64_t out_channels,
                                MapSize in) {
    if (out_channels % 2 != 0) {
      return UsageError(absl::StrCat(out_channels,
                                     " channels cannot be made by "
                                     "FactorizedReduce, which makes two equal "
                                     "halves"));
    }
    Convolution(in_channels, out_channels, 1, 1, in.Strided(2));
    BatchNorm(out_channels);
    return absl::OkStatus();
  }

  absl::Status Operation(Primitive op, int64_t channels, MapSize in,
                         int stride) {
    const MapSize out = in.Strided(stride);
    const auto separable = [&](int kernel, int times) {
      for (int i = 0; i < times; ++i) {
        Convolution(channels, channels, kernel, kernel, out,
                    /*depthwise=*/true);
        Convolution(channels, channels, 1, 1, out);
        BatchNorm(channels);
      }
    };
    switch (op) {
      case Primitive::kMaxPool3x3:
        max_pool_outputs_ += channels * out.pixels();
        break;
      case Primitive::kAvgPool3x3:
        average_pool_outputs_ += channels * out.pixels();
        break;
      case Primitive::kSkipConnect:
        if (stride > 1) {
          FD_RETURN_IF_ERROR(FactorizedReduce(channels, channels, in));
        }
        break;
      case Primitive::kSepConv3x3:
        separable(3, 2);
        break;
      case Primitive::kSepConv5x5:
        separable(5, 2);
        break;
      case Primitive::kSepConv7x7:
        separable(7, 2);
        break;
      case Primitive::kDilConv3x3:
        separable(3, 1);
        break;
      case Primitive::kDilConv5x5:
        separable(5, 1);
        break;
      case Primitive::kConv7x1_1x7:
        // 1x7 strides along the rows, then 7x1 along the columns.
        Convolution(channels, channels, 1, 7, {in.height, out.width});
        Convolution(channels, channels, 7, 1, out);
        BatchNorm(channels);
        break;
    }
    return absl::OkStatus();
  }

  void Add(const Cost& part) {
    macs_ += part.macs;
    parameters_ += part.parameters;
    max_pool_outputs_ += part.max_pool_outputs;
    average_pool_outputs_ += part.average_pool_outputs;
  }

  absl::StatusOr<Cost> Total() const {
    Cost total;
    const std::pair<absl::int128, int64_t*> sums[] = {
        {macs_, &total.macs},
        {parameters_, &total.parameters},
        {max_pool_outputs_, &total.max_pool_outputs},
        {average_pool_outputs_, &total.average_pool_outputs}};
    for (const auto& [sum, field] : sums) {
      if (sum > std::numeric_limits<int64_t>::max()) {
        return UsageError("the network is too large to count");
      }
      *field = static_cast<int64_t>(sum);
    }
    return total;
  }

 private:
  absl::int128 macs_ = 0;
  absl::int128 parameters_ = 0;
  absl::int128 max_pool_outputs_ = 0;
  absl::int128 average_pool_outputs_ = 0;
};

absl::Status CheckRange(absl::string_view field, int value, int low, int high) {
  if (low <= value && value <= high) return absl::OkStatus();
  return UsageError(absl::StrCat(field, ": is ", value, "; it has to be ", low,
                                 " to ", high));
}

absl::Status CheckConfig(const NetworkConfig& config) {
  FD_RETURN_IF_ERROR(
      CheckRange("init_channels", config.init_channels, 2, 4096));
  if (config.init_channels % 2 != 0) {
    return UsageError(absl::StrCat("init_channels: is ", config.init_channels,
                                   "; it has to be even"));
  }
  FD_RETURN_IF_ERROR(CheckRange("layers", config.layers, 1, 1000));
  FD_RETURN_IF_ERROR(CheckRange("classes", config.classes, 1, 1000000));
  FD_RETURN_IF_ERROR(CheckRange("image_size", config.image_size, 1, 8192));
  return CheckRange("image_channels", config.image_channels, 1, 4096);
}

// What flows between cells: the last two outputs.
struct Flow {
  int64_t channels[2];
  MapSize size[2];
};

absl::Status AddCell(const GenotypeCell& cell, GenotypeForm form,
                     bool reduction, bool reduction_before, int64_t channels,
                     Flow& flow, Meter& meter) {
  const MapSize in = flow.size[1];
  if (reduction_before) {
    FD_RETURN_IF_ERROR(
        meter.FactorizedReduce(flow.channels[0], channels, flow.size[0]));
  } else {
    meter.ReluConvBatchNorm(flow.channels[0], channels, in);
  }
  meter.ReluConvBatchNorm(flow.channels[1], channels, in);

  const CellGraph graph = MakeCellGraph(cell, form);
  for (size_t i = 0; i < cell.edges.size(); ++i) {
    if (!graph.live[i]) continue;
    const GenotypeEdge& edge = cell.edges[i];
    // A reduction cell halves its inputs; its nodes are halved already.
    const bool from_input = edge.from < kCellInputs;
    const int stride = reduction && from_input ? 2 : 1;
    const MapSize size = reduction && !from_input ? in.Strided(2) : in;
    FD_RETURN_IF_ERROR(
        Annotate(meter.Operation(edge.op, channels, size, stride),
                 EdgeText(edge, form)));
  }
  flow.channels[0] = flow.channels[1];
  flow.size[0] = in;
  flow.channels[1] = channels * static_cast<int64_t>(graph.output.size());
  flow.size[1] = reduction ? in.Strided(2) : in;
  return absl::OkStatus();
}

// ReLU, average pool 5, 1x1 to 128, BN, ReLU, 2x2 to 768, BN (CIFAR only),
// ReLU, linear. The pool's stride is such that the map before the 2x2
// convolution is 2x2.
absl::Status AddAuxiliaryHead(const NetworkConfig& config, int64_t channels,
                              MapSize in, Meter& meter) {
  const bool cifar = config.kind == NetworkConfig::Kind::kCifar;
  const int largest = cifar ? 10 : 8;
  if (in.height < 7 || in.height > largest) {
    return UsageError(absl::StrCat(
        "auxiliary: the head would see a map of ", in.height, "x", in.width,
        "; it is made for 7x7 to ", largest, "x", largest, ", so image_size ",
        config.image_size, " needs the network without it"));
  }
  constexpr MapSize kPooled = {2, 2};
  constexpr MapSize kOne = {1, 1};
  meter.Convolution(channels, 128, 1, 1, kPooled);
  meter.BatchNorm(128);
  meter.Convolution(128, 768, 2, 2, kOne);
  if (cifar) meter.BatchNorm(768);
  meter.Linear(768, config.classes);
  return absl::OkStatus();
}

// Where the flow into the first cell comes from.
Flow AddStem(const NetworkConfig& config, Meter& meter) {
  const int64_t channels = config.init_channels;
  const MapSize image = {config.image_size, config.image_size};
  if (config.kind == NetworkConfig::Kind::kCifar) {
    meter.Convolution(config.image_channels, 3 * channels, 3, 3, image);
    meter.BatchNorm(3 * channels);
    return {{3 * channels, 3 * channels}, {image, image}};
  }
  const MapSize half = image.Strided(2);
  const MapSize quarter = half.Strided(2);
  const MapSize eighth = quarter.Strided(2);
  meter.Convolution(config.image_channels, channels / 2, 3, 3, half);
  meter.BatchNorm(channels / 2);
  meter.Convolution(channels / 2, channels, 3, 3, quarter);
  meter.BatchNorm(channels);
  meter.Convolution(channels, channels, 3, 3, eighth);
  meter.BatchNorm(channels);
  return {{channels, channels}, {quarter, eighth}};
}

}  // namespace

NetworkConfig NetworkConfig::Cifar() { return NetworkConfig(); }

NetworkConfig NetworkConfig::ImageNet() {
  NetworkConfig config;
  config.kind = Kind::kImageNet;
  config.init_channels = 48;
  config.layers = 14;
  config.classes = 1000;
  config.image_size = 224;
  return config;
}

absl::StatusOr<Cost> OperationCost(Primitive op, int channels, int height,
                                   int width, int stride) {
  FD_RETURN_IF_ERROR(CheckRange("channels", channels, 1, 1 << 24));
  FD_RETURN_IF_ERROR(CheckRange("height", height, 1, 1 << 16));
  FD_RETURN_IF_ERROR(CheckRange("width", width, 1, 1 << 16));
  FD_RETURN_IF_ERROR(CheckRange("stride", stride, 1, 2));
  Meter meter;
  FD_RETURN_IF_ERROR(
      Annotate(meter.Operation(op, channels, {height, width}, stride),
               PrimitiveName(op)));
  return meter.Total();
}

absl::StatusOr<NetworkCost> ComputeNetworkCost(const Genotype& genotype,
                                               const NetworkConfig& config) {
  FD_RETURN_IF_ERROR(CheckConfig(config));
  FD_RETURN_IF_ERROR(CheckBuildable(genotype));

  const bool imagenet = config.kind == NetworkConfig::Kind::kImageNet;
  NetworkCost cost;
  Meter stem;
  Flow flow = AddStem(config, stem);
  FD_ASSIGN_OR_RETURN(cost.stem, stem.Total());

  int64_t channels = config.init_channels;
  // ImageNet's second stem halves the map just like a reduction cell.
  bool reduction_before = imagenet;
  for (int layer = 0; layer < config.layers; ++layer) {
    const bool reduction = IsReduction(layer, config.layers);
    if (reduction) channels *= 2;
    Meter meter;
    FD_RETURN_IF_ERROR(Annotate(
        AddCell(reduction ? genotype.reduce : genotype.normal, genotype.form,
                reduction, reduction_before, channels, flow, meter),
        absl::StrCat("image_size ", config.image_size, ", cell ", layer)));
    reduction_before = reduction;
    FD_ASSIGN_OR_RETURN(const Cost cell, meter.Total());
    cost.cells.push_back(cell);
    if (config.auxiliary && layer == LastReduction(config.layers)) {
      Meter head;
      FD_RETURN_IF_ERROR(
          AddAuxiliaryHead(config, flow.channels[1], flow.size[1], head));
      FD_ASSIGN_OR_RETURN(const Cost whole, head.Total());
      cost.auxiliary.parameters = whole.parameters;
    }
  }

  // Its pool is 7x7 of stride 7, not a global one.
  const int last = flow.size[1].height;
  if (imagenet && (last < 7 || last > 13)) {
    return UsageError(absl::StrCat("image_size: ", config.image_size,
                                   " makes a last map of ", last, "x", last,
                                   "; the ImageNet network needs 7x7 to 13x13, "
                                   "such as 224 does"));
  }
  Meter classifier;
  classifier.Linear(flow.channels[1], config.classes);
  FD_ASSIGN_OR_RETURN(cost.classifier, classifier.Total());

  Meter whole;
  whole.Add(cost.stem);
  for (const Cost& cell : cost.cells) whole.Add(cell);
  whole.Add(cost.classifier);
  whole.Add(cost.auxiliary);
  FD_ASSIGN_OR_RETURN(cost.total, whole.Total());
  cost.features = flow.channels[1];
  cost.feature_map = last;
  return cost;
}

}  // namespace fairdarts
