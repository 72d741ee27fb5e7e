#include "search_space/derived_network.h"

#include <torch/nn/modules/container/modulelist.h>

#include "genotypes/reduction_cells.h"

namespace fairdarts {

DerivedNetwork::DerivedNetwork(const Genotype& genotype,
                               const NetworkConfig& config)
    : genotype_(genotype), config_(config) {}

void DerivedNetwork::BuildCells(int64_t channels, int64_t map_size,
                                bool halved) {
  const auto cells =
      register_module("cells", std::make_shared<torch::nn::ModuleListImpl>());
  DerivedCellOptions cell;
  cell.channels_before_previous = channels;
  cell.channels_previous = channels;
  cell.channels = config_.init_channels;
  cell.previous_reduction = halved;
  const int64_t auxiliary_layer = LastReduction(config_.layers);
  int64_t auxiliary_channels = 0;
  int64_t auxiliary_map_size = 0;
  for (int layer = 0; layer < config_.layers; ++layer) {
    cell.reduction = IsReduction(layer, config_.layers);
    if (cell.reduction) {
      cell.channels *= 2;
      map_size = (map_size + 1) / 2;
    }
    cells_.push_back(std::make_shared<DerivedCell>(
        cell.reduction ? genotype_.reduce : genotype_.normal, genotype_.form,
        cell));
    cells->push_back(cells_.back());
    cell.previous_reduction = cell.reduction;
    cell.channels_before_previous = cell.channels_previous;
    cell.channels_previous = cells_.back()->output_channels();
    if (layer == auxiliary_layer) {
      auxiliary_channels = cell.channels_previous;
      auxiliary_map_size = map_size;
    }
  }
  if (config_.auxiliary) {
    auxiliary_head_ = register_module(
        "auxiliary_head",
        std::make_shared<AuxiliaryHead>(config_.kind, auxiliary_channels,
                                        auxiliary_map_size, config_.classes));
  }
  classifier_ = register_module(
      "classifier", torch::nn::Linear(cell.channels_previous, config_.classes));
}

DerivedNetwork::Output DerivedNetwork::Forward(const torch::Tensor& images,
                                               PathDropper& dropper) {
  const bool auxiliary =
      auxiliary_head_ != nullptr && is_training() && images.size(0) > 1;
  const Features features = ComputeFeatures(images, dropper, auxiliary);
  Output output;
  output.logits = classifier_->forward(features.pooled);
  if (auxiliary) {
    output.auxiliary_logits = auxiliary_head_->Forward(features.auxiliary);
  }
  return output;
}

DerivedNetwork::Features DerivedNetwork::ComputeFeatures(
    const torch::Tensor& images, PathDropper& dropper, bool auxiliary) {
  Features features;
  StemOutput stem = Stem(images);
  torch::Tensor before_previous = std::move(stem.before_previous);
  torch::Tensor previous = std::move(stem.previous);
  const auto auxiliary_layer =
      static_cast<size_t>(LastReduction(config_.layers));
  for (size_t i = 0; i < cells_.size(); ++i) {
    torch::Tensor next = cells_[i]->Forward(before_previous, previous, dropper);
    before_previous = std::move(previous);
    previous = std::move(next);
    if (auxiliary && i == auxiliary_layer) features.auxiliary = previous;
  }
  features.pooled = Pool(previous);
  return features;
}

torch::Tensor DerivedNetwork::Logits(const torch::Tensor& images) {
  PathDropper none;
  return Forward(images, none).logits;
}

int64_t DerivedNetwork::paths() const {
  int64_t paths = 0;
  for (const std::shared_ptr<DerivedCell>& cell : cells_) {
    paths += cell->paths();
  }
  return paths;
}

}  // namespace fairdarts
