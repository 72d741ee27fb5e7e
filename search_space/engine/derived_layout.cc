#include "search_space/engine/derived_layout.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "genotypes/cell_graph.h"
#include "genotypes/primitive.h"
#include "genotypes/reduction_cells.h"

namespace fairdarts {
namespace {

using Kind = DerivedEdgeLayout::Kind;

constexpr int64_t kStemMultiplier = 3;

int StrideOf(const DerivedCellLayout& layout, int from) {
  return layout.reduction && from < kCellInputs ? 2 : 1;
}

// The live edges of a cell in the order in which the state dict names them: in
// threshold cells by node and source, as they first come.
std::vector<size_t> NamedOrder(const std::vector<GenotypeEdge>& edges,
                               const std::vector<bool>& live,
                               GenotypeForm form) {
  std::vector<size_t> order;
  for (size_t i = 0; i < edges.size(); ++i) {
    if (live[i]) order.push_back(i);
  }
  if (form != GenotypeForm::kThreshold) return order;
  const std::vector<size_t> given = order;
  const auto first = [&](const auto& same) {
    return std::find_if(given.begin(), given.end(),
                        [&](size_t i) { return same(edges[i]); });
  };
  const auto key = [&](size_t i) {
    const GenotypeEdge& edge = edges[i];
    return std::make_pair(
        first([&](const GenotypeEdge& e) { return e.to == edge.to; }),
        first([&](const GenotypeEdge& e) {
          return e.to == edge.to && e.from == edge.from;
        }));
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return key(a) < key(b); });
  return order;
}

}  // namespace

absl::Status CheckDerivedEngine(const Genotype& genotype,
                                const NetworkConfig& config) {
  if (config.kind != NetworkConfig::Kind::kCifar) {
    return UsageError("the fused engine has the CIFAR network alone");
  }
  for (const GenotypeCell* cell : {&genotype.normal, &genotype.reduce}) {
    for (const GenotypeEdge& edge : cell->edges) {
      if (edge.op == Primitive::kConv7x1_1x7) {
        return UsageError(
            absl::StrCat("the fused engine does not have the genotype's ",
                         PrimitiveName(edge.op)));
      }
    }
  }
  return absl::OkStatus();
}

DerivedLayout::DerivedLayout(const Genotype& genotype,
                             const NetworkConfig& config)
    : image_channels(config.image_channels),
      stem_channels(kStemMultiplier * config.init_channels),
      auxiliary_cell(static_cast<int>(LastReduction(config.layers))) {
  FD_CHECK(CheckDerivedEngine(genotype, config).ok());
  stem_weight =
      AddParameter("stem.0.weight", {stem_channels, image_channels, 3, 3});
  stem_affine = AddAffine("stem.1", stem_channels);
  stem_norm = AddStatistics("stem.1", stem_channels);
  DerivedCellLayout cell;
  cell.channels_before_previous = stem_channels;
  cell.channels_previous = stem_channels;
  cell.channels = config.init_channels;
  for (int64_t i = 0; i < config.layers; ++i) {
    cell.reduction = IsReduction(i, config.layers);
    if (cell.reduction) cell.channels *= 2;
    cells.push_back(AddCell(absl::StrCat("cells.", i, "."),
                            cell.reduction ? genotype.reduce : genotype.normal,
                            genotype.form, cell));
    cell.previous_reduction = cell.reduction;
    cell.channels_before_previous = cell.channels_previous;
    cell.channels_previous = cells.back().output_channels();
  }
}

int64_t DerivedLayout::AddParameter(const std::string& name,
                                    std::vector<int64_t> shape) {
  parameters.push_back({name, std::move(shape), parameter_size});
  parameter_size += parameters.back().size();
  return parameters.back().offset;
}

int64_t DerivedLayout::AddStatistics(const std::string& name,
                                     int64_t channels) {
  for (const char* part : {".running_mean", ".running_var"}) {
    statistics.push_back(
        {absl::StrCat(name, part), {channels}, statistic_size});
    statistic_size += channels;
  }
  return statistic_size - 2 * channels;
}

AffineLayout DerivedLayout::AddAffine(const std::string& name,
                                      int64_t channels) {
  AffineLayout layout;
  layout.weight = AddParameter(absl::StrCat(name, ".weight"), {channels});
  layout.bias = AddParameter(absl::StrCat(name, ".bias"), {channels});
  return layout;
}

AffinePointwiseLayout DerivedLayout::AddPointwise(const std::string& name,
                                                  int64_t in, int64_t out,
                                                  bool reduce) {
  AffinePointwiseLayout layout;
  const std::string norm = absl::StrCat(name, reduce ? "bn" : "op.2");
  if (reduce) {
    layout.convolution.weight =
        AddParameter(absl::StrCat(name, "conv_1.weight"), {out / 2, in, 1, 1});
    AddParameter(absl::StrCat(name, "conv_2.weight"), {out / 2, in, 1, 1});
  } else {
    layout.convolution.weight =
        AddParameter(absl::StrCat(name, "op.1.weight"), {out, in, 1, 1});
  }
  layout.affine = AddAffine(norm, out);
  layout.convolution.norm = AddStatistics(norm, out);
  return layout;
}

AffineSeparableLayout DerivedLayout::AddSeparable(const std::string& name,
                                                  int first, int64_t channels,
                                                  int kernel, int stride,
                                                  int dilation) {
  AffineSeparableLayout layout;
  layout.kernel = kernel;
  layout.stride = stride;
  layout.dilation = dilation;
  layout.convolution.depthwise =
      AddParameter(absl::StrCat(name, "op.", first, ".weight"),
                   {channels, 1, kernel, kernel});
  layout.convolution.pointwise =
      AddParameter(absl::StrCat(name, "op.", first + 1, ".weight"),
                   {channels, channels, 1, 1});
  const std::string norm = absl::StrCat(name, "op.", first + 2);
  layout.affine = AddAffine(norm, channels);
  layout.convolution.norm = AddStatistics(norm, channels);
  return layout;
}

void DerivedLayout::AddOperation(const std::string& name, Primitive op,
                                 int64_t channels, int stride,
                                 DerivedEdgeLayout& edge) {
  const auto sep_conv = [&](int kernel) {
    edge.kind = Kind::kSeparable;
    edge.units = {AddSeparable(name, 1, channels, kernel, stride, 1)};
    edge.units.push_back(AddSeparable(name, 5, channels, kernel, 1, 1));
  };
  const auto dil_conv = [&](int kernel) {
    edge.kind = Kind::kSeparable;
    edge.units = {AddSeparable(name, 1, channels, kernel, stride, 2)};
  };
  switch (op) {
    case Primitive::kMaxPool3x3:
      edge.kind = Kind::kMaxPool;
      return;
    case Primitive::kAvgPool3x3:
      edge.kind = Kind::kAveragePool;
      return;
    case Primitive::kSkipConnect:
      edge.kind = stride == 1 ? Kind::kIdentity : Kind::kReduce;
      if (stride == 2) {
        edge.reduce = AddPointwise(name, channels, channels, /*reduce=*/true);
      }
      return;
    case Primitive::kSepConv3x3:
      return sep_conv(3);
    case Primitive::kSepConv5x5:
      return sep_conv(5);
    case Primitive::kSepConv7x7:
      return sep_conv(7);
    case Primitive::kDilConv3x3:
      return dil_conv(3);
    case Primitive::kDilConv5x5:
      return dil_conv(5);
    case Primitive::kConv7x1_1x7:
      break;
  }
  FD_CHECK(false) << "no unit for " << PrimitiveName(op);
}

DerivedCellLayout DerivedLayout::AddCell(const std::string& name,
                                         const GenotypeCell& cell,
                                         GenotypeForm form,
                                         DerivedCellLayout layout) {
  const int64_t channels = layout.channels;
  layout.begin = parameter_size;
  layout.preprocess[0] = AddPointwise(absl::StrCat(name, "preprocess0."),
                                      layout.channels_before_previous, channels,
                                      /*reduce=*/layout.previous_reduction);
  layout.preprocess[1] =
      AddPointwise(absl::StrCat(name, "preprocess1."), layout.channels_previous,
                   channels, /*reduce=*/false);
  const CellGraph graph = MakeCellGraph(cell, form);
  layout.states = graph.states();
  layout.exists = graph.exists;
  layout.output = graph.output;
  layout.edges.clear();

  std::vector<DerivedEdgeLayout> edges(cell.edges.size());
  int operation = 0;  // of those with the same ends
  const GenotypeEdge* before = nullptr;
  for (const size_t i : NamedOrder(cell.edges, graph.live, form)) {
    const GenotypeEdge& edge = cell.edges[i];
    const bool same =
        before != nullptr && before->to == edge.to && before->from == edge.from;
    operation = same ? operation + 1 : 0;
    before = &edge;
    edges[i].from = edge.from;
    edges[i].to = edge.to;
    edges[i].weight = static_cast<float>(edge.weight);
    AddOperation(form == GenotypeForm::kThreshold
                     ? absl::StrCat(name, "_ops.", edge.to, ".", edge.from, ".",
                                    operation, ".")
                     : absl::StrCat(name, "_ops.", i, "."),
                 edge.op, channels, StrideOf(layout, edge.from), edges[i]);
  }
  for (int node = kCellInputs; node < layout.states; ++node) {
    if (!layout.exists[node]) continue;
    for (size_t i = 0; i < edges.size(); ++i) {
      if (!graph.live[i] || edges[i].to != node) continue;
      if (form == GenotypeForm::kThreshold) {
        edges[i].path = paths;
      } else if (edges[i].kind != Kind::kIdentity) {
        edges[i].path = paths++;
      }
      layout.edges.push_back(edges[i]);
    }
    if (form == GenotypeForm::kThreshold) ++paths;
  }
  layout.end = parameter_size;
  return layout;
}

std::vector<bool> DerivedLayout::Reached(bool auxiliary) const {
  // Ranges of parameters that a gradient reaches.
  std::vector<std::pair<int64_t, int64_t>> ranges;
  const int last = static_cast<int>(cells.size()) - 1;
  // Of the outputs of the stem and of all cells.
  std::vector<bool> outputs(cells.size() + 1);
  outputs.back() = true;
  if (auxiliary) outputs[auxiliary_cell + 1] = true;
  for (int i = last; i >= 0; --i) {
    if (!outputs[i + 1]) continue;
    const DerivedCellLayout& cell = cells[i];
    std::vector<bool> states(cell.states);
    for (const int state : cell.output) states[state] = true;
    // Nodes come in order, so that those behind an edge are settled first.
    for (auto edge = cell.edges.rbegin(); edge != cell.edges.rend(); ++edge) {
      if (!states[edge->to]) continue;
      states[edge->from] = true;
      if (edge->kind == Kind::kReduce) {
        ranges.push_back({edge->reduce.convolution.weight,
                          edge->reduce.affine.bias + cell.channels});
      }
      for (const AffineSeparableLayout& unit : edge->units) {
        ranges.push_back(
            {unit.convolution.depthwise, unit.affine.bias + cell.channels});
      }
    }
    for (int input = 0; input < kCellInputs; ++input) {
      if (!states[input]) continue;
      const AffinePointwiseLayout& preprocess = cell.preprocess[input];
      ranges.push_back({preprocess.convolution.weight,
                        preprocess.affine.bias + cell.channels});
      outputs[std::max(i - 1 + input, 0)] = true;
    }
  }
  if (outputs[0]) {
    ranges.push_back({stem_weight, stem_affine.bias + stem_channels});
  }
  std::vector<bool> reached;
  for (const FlatTensor& parameter : parameters) {
    reached.push_back(
        std::any_of(ranges.begin(), ranges.end(), [&](const auto& range) {
          return range.first <= parameter.offset &&
                 parameter.offset < range.second;
        }));
  }
  return reached;
}

}  // namespace fairdarts
