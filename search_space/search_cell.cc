#include "search_space/search_cell.h"

#include "genotypes/edge_layout.h"
#include "ops/relu_conv_bn.h"
#include "ops/skip.h"

namespace fairdarts {

SearchCell::SearchCell(const SearchCellOptions& options) {
  if (options.previous_reduction) {
    preprocess0_ = std::make_shared<FactorizedReduce>(
        options.channels_before_previous, options.channels, kNotAffine);
  } else {
    preprocess0_ = std::make_shared<ReluConvBn>(
        options.channels_before_previous, options.channels, kNotAffine);
  }
  register_module("preprocess0", preprocess0_);
  preprocess1_ = register_module(
      "preprocess1",
      std::make_shared<ReluConvBn>(options.channels_previous, options.channels,
                                   kNotAffine));
  torch::nn::ModuleList edges;
  for (const CellEdge& edge : EdgeLayout(kS1Nodes)) {
    const bool from_input = edge.from < kCellInputs;
    edges_.push_back(std::make_shared<MixedOp>(
        options.channels, options.reduction && from_input ? 2 : 1));
    edges->push_back(edges_.back());
  }
  register_module("_ops", edges);
}

torch::Tensor SearchCell::Forward(const torch::Tensor& before_previous,
                                  const torch::Tensor& previous,
                                  const torch::Tensor& weights,
                                  EdgeNoise noise) {
  std::vector<torch::Tensor> states = {preprocess0_->forward(before_previous),
                                       preprocess1_->forward(previous)};
  const std::vector<torch::Tensor> rows = weights.unbind(0);
  size_t row = 0;
  for (int node = 0; node < kS1Nodes; ++node) {
    torch::Tensor sum;
    for (const torch::Tensor& state : states) {
      noise.edge = static_cast<int>(row);
      sum = edges_[row]->AddTo(sum, state, rows[row], noise);
      ++row;
    }
    states.push_back(sum);
  }
  return torch::cat(torch::TensorList(states).slice(kCellInputs), 1);
}

}  // namespace fairdarts
