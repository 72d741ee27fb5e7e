#include "search_space/derived_cell.h"

#include <algorithm>

#include "fairdarts/base/check.h"
#include "genotypes/cell_graph.h"
#include "genotypes/edge_layout.h"
#include "ops/factory.h"
#include "ops/relu_conv_bn.h"
#include "ops/skip.h"

namespace fairdarts {
namespace {

std::shared_ptr<Operation> OperationOf(const GenotypeEdge& edge,
                                       const DerivedCellOptions& options) {
  const int64_t stride = options.reduction && edge.from < kCellInputs ? 2 : 1;
  absl::StatusOr<std::shared_ptr<Operation>> op =
      MakeOperation(edge.op, options.channels, stride, kAffine);
  FD_CHECK(op.ok()) << op.status();
  return *std::move(op);
}

// The module `name` below `parent`, made where it is missing.
std::shared_ptr<torch::nn::Module> Child(torch::nn::Module& parent,
                                         const std::string& name) {
  for (const auto& item : parent.named_children()) {
    if (item.key() == name) return item.value();
  }
  return parent.register_module(name, std::make_shared<torch::nn::Module>());
}

}  // namespace

DerivedCell::DerivedCell(const GenotypeCell& cell, GenotypeForm form,
                         const DerivedCellOptions& options)
    : form_(form) {
  if (options.previous_reduction) {
    preprocess0_ = std::make_shared<FactorizedReduce>(
        options.channels_before_previous, options.channels, kAffine);
  } else {
    preprocess0_ = std::make_shared<ReluConvBn>(
        options.channels_before_previous, options.channels, kAffine);
  }
  register_module("preprocess0", preprocess0_);
  preprocess1_ = register_module(
      "preprocess1", std::make_shared<ReluConvBn>(options.channels_previous,
                                                  options.channels, kAffine));

  const CellGraph graph = MakeCellGraph(cell, form);
  states_ = graph.states();
  output_ = graph.output;
  output_channels_ = options.channels * static_cast<int64_t>(output_.size());
  for (int state = kCellInputs; state < states_; ++state) {
    if (graph.exists[state]) nodes_.push_back({state, {}});
  }
  const auto operations =
      register_module("_ops", std::make_shared<torch::nn::Module>());
  for (size_t i = 0; i < cell.edges.size(); ++i) {
    if (!graph.live[i]) continue;
    const GenotypeEdge& edge = cell.edges[i];
    const std::shared_ptr<Operation> op = OperationOf(edge, options);
    std::vector<Edge>& edges =
        std::find_if(nodes_.begin(), nodes_.end(), [&](const Node& node) {
          return node.state == edge.to;
        })->edges;
    if (form == GenotypeForm::kThreshold) {
      const auto source = Child(*Child(*operations, std::to_string(edge.to)),
                                std::to_string(edge.from));
      source->register_module(std::to_string(source->children().size()), op);
    } else {
      operations->register_module(std::to_string(i), op);
    }
    edges.push_back({op, edge.from, edge.weight,
                     std::dynamic_pointer_cast<Identity>(op) != nullptr});
  }
}

torch::Tensor DerivedCell::Forward(const torch::Tensor& before_previous,
                                   const torch::Tensor& previous,
                                   PathDropper& dropper) {
  const bool drop_edges = is_training() && form_ != GenotypeForm::kThreshold;
  const bool drop_nodes = is_training() && form_ == GenotypeForm::kThreshold;
  std::vector<torch::Tensor> states(states_);
  states[0] = preprocess0_->forward(before_previous);
  states[1] = preprocess1_->forward(previous);
  for (const Node& node : nodes_) {
    torch::Tensor sum;
    for (const Edge& edge : node.edges) {
      torch::Tensor y = edge.op->forward(states[edge.from]);
      if (drop_edges && !edge.identity) y = dropper.Drop(y);
      if (edge.weight != 1) y = y * edge.weight;
      sum = sum.defined() ? sum + y : y;
    }
    states[node.state] = drop_nodes ? dropper.Drop(sum) : sum;
  }
  std::vector<torch::Tensor> output;
  for (const int state : output_) output.push_back(states[state]);
  return torch::cat(output, 1);
}

int64_t DerivedCell::paths() const {
  if (form_ == GenotypeForm::kThreshold) {
    return static_cast<int64_t>(nodes_.size());
  }
  int64_t paths = 0;
  for (const Node& node : nodes_) {
    for (const Edge& edge : node.edges) paths += edge.identity ? 0 : 1;
  }
  return paths;
}

}  // namespace fairdarts
