#include "search_space/engine/network_layout.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "genotypes/reduction_cells.h"

namespace fairdarts {
namespace {

constexpr int64_t kStemMultiplier = 3;

}  // namespace

NetworkLayout::NetworkLayout(const S1Config& config)
    : image_channels(config.image_channels),
      stem_channels(kStemMultiplier * config.channels) {
  stem_weight = AddParameter("stem.0.weight",
                             {stem_channels, config.image_channels, 3, 3});
  stem_norm_weight = AddParameter("stem.1.weight", {stem_channels});
  stem_norm_bias = AddParameter("stem.1.bias", {stem_channels});
  stem_norm = AddNorm("stem.1", stem_channels);
  CellLayout cell;
  cell.channels_before_previous = stem_channels;
  cell.channels_previous = stem_channels;
  cell.channels = config.channels;
  for (int64_t i = 0; i < config.layers; ++i) {
    cell.reduction = IsReduction(i, config.layers);
    if (cell.reduction) cell.channels *= 2;
    cells.push_back(AddCell(absl::StrCat("cells.", i, "."), cell));
    cell.previous_reduction = cell.reduction;
    cell.channels_before_previous = cell.channels_previous;
    cell.channels_previous = kS1Nodes * cell.channels;
  }
  classifier_channels = cell.channels_previous;
  classifier_weight =
      AddParameter("classifier.weight", {config.classes, classifier_channels});
  classifier_bias = AddParameter("classifier.bias", {config.classes});
}

int64_t NetworkLayout::AddParameter(const std::string& name,
                                    std::vector<int64_t> shape) {
  parameters.push_back({name, std::move(shape), parameter_size});
  parameter_size += parameters.back().size();
  return parameters.back().offset;
}

int64_t NetworkLayout::AddNorm(const std::string& name, int64_t channels) {
  for (const char* part : {".running_mean", ".running_var"}) {
    statistics.push_back(
        {absl::StrCat(name, part), {channels}, statistic_size});
    statistic_size += channels;
  }
  return statistic_size - 2 * channels;
}

PointwiseLayout NetworkLayout::AddPointwise(const std::string& name, int64_t in,
                                            int64_t out, bool reduce) {
  PointwiseLayout layout;
  if (reduce) {
    layout.weight =
        AddParameter(absl::StrCat(name, "conv_1.weight"), {out / 2, in, 1, 1});
    AddParameter(absl::StrCat(name, "conv_2.weight"), {out / 2, in, 1, 1});
    layout.norm = AddNorm(absl::StrCat(name, "bn"), out);
  } else {
    layout.weight =
        AddParameter(absl::StrCat(name, "op.1.weight"), {out, in, 1, 1});
    layout.norm = AddNorm(absl::StrCat(name, "op.2"), out);
  }
  return layout;
}

CellLayout NetworkLayout::AddCell(const std::string& name, CellLayout cell) {
  const int64_t channels = cell.channels;
  cell.preprocess[0] = AddPointwise(absl::StrCat(name, "preprocess0."),
                                    cell.channels_before_previous, channels,
                                    /*reduce=*/cell.previous_reduction);
  cell.preprocess[1] =
      AddPointwise(absl::StrCat(name, "preprocess1."), cell.channels_previous,
                   channels, /*reduce=*/false);
  const std::vector<CellEdge> edges = EdgeLayout(kS1Nodes);
  for (size_t i = 0; i < edges.size(); ++i) {
    const std::string edge = absl::StrCat(name, "_ops.", i, "._ops.");
    EdgeLayoutOffsets& offsets = cell.edges[i];
    offsets.begin = parameter_size;
    offsets.max_pool_norm = AddNorm(absl::StrCat(edge, "0.1"), channels);
    offsets.average_pool_norm = AddNorm(absl::StrCat(edge, "1.1"), channels);
    if (cell.reduction && edges[i].from < kCellInputs) {
      offsets.skip = AddPointwise(absl::StrCat(edge, "2."), channels, channels,
                                  /*reduce=*/true);
    }
    const auto add_unit = [&](int candidate, int first, int64_t kernel) {
      SeparableLayout unit;
      const std::string op = absl::StrCat(edge, candidate, ".op.");
      unit.depthwise = AddParameter(absl::StrCat(op, first, ".weight"),
                                    {channels, 1, kernel, kernel});
      unit.pointwise = AddParameter(absl::StrCat(op, first + 1, ".weight"),
                                    {channels, channels, 1, 1});
      unit.norm = AddNorm(absl::StrCat(op, first + 2), channels);
      return unit;
    };
    offsets.units = {add_unit(3, 1, 3), add_unit(3, 5, 3), add_unit(4, 1, 5),
                     add_unit(4, 5, 5), add_unit(5, 1, 3), add_unit(6, 1, 5)};
    offsets.end = parameter_size;
  }
  return cell;
}

void StartStatistics(const std::vector<FlatTensor>& layout, float* statistics) {
  for (const FlatTensor& tensor : layout) {
    if (absl::EndsWith(tensor.name, "running_var")) {
      std::fill_n(statistics + tensor.offset, tensor.size(), 1.0f);
    }
  }
}

}  // namespace fairdarts
