#include "search_space/s1_supernet.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/status.h"
#include "genotypes/edge_layout.h"
#include "genotypes/primitive.h"
#include "genotypes/reduction_cells.h"
#include "ops/torch_status.h"
#include "search_space/engine/edge_noise.h"

namespace fairdarts {
namespace {

constexpr int64_t kStemMultiplier = 3;

absl::Status CheckRange(absl::string_view field, int64_t value, int64_t minimum,
                        int64_t maximum) {
  if (value >= minimum && value <= maximum) return absl::OkStatus();
  return UsageError(absl::StrCat("search network: ", field, " is ", value,
                                 "; it must be from ", minimum, " to ",
                                 maximum));
}

absl::Status Check(const S1Config& config) {
  // The upper bounds keep every product of sizes within int64.
  FD_RETURN_IF_ERROR(CheckRange("channels", config.channels, 1, 1 << 16));
  FD_RETURN_IF_ERROR(CheckRange("layers", config.layers, 3, 1000));
  FD_RETURN_IF_ERROR(CheckRange("classes", config.classes, 1, 1 << 24));
  return CheckRange("image channels", config.image_channels, 1, 1 << 16);
}

}  // namespace

absl::StatusOr<std::shared_ptr<S1Supernet>> S1Supernet::Create(
    const S1Config& config) {
  FD_RETURN_IF_ERROR(Check(config));
  return CatchTorch("search network", [&] {
    return std::shared_ptr<S1Supernet>(new S1Supernet(config));
  });
}

S1Supernet::S1Supernet(const S1Config& config) : classifier_(nullptr) {
  const int64_t stem_channels = kStemMultiplier * config.channels;
  stem_ = register_module(
      "stem", torch::nn::Sequential(
                  torch::nn::Conv2d(torch::nn::Conv2dOptions(
                                        config.image_channels, stem_channels, 3)
                                        .padding(1)
                                        .bias(false)),
                  torch::nn::BatchNorm2d(stem_channels)));
  torch::nn::ModuleList cells;
  SearchCellOptions cell;
  cell.channels_before_previous = stem_channels;
  cell.channels_previous = stem_channels;
  cell.channels = config.channels;
  for (int64_t i = 0; i < config.layers; ++i) {
    cell.reduction = IsReduction(i, config.layers);
    if (cell.reduction) cell.channels *= 2;
    cells_.push_back(std::make_shared<SearchCell>(cell));
    cells->push_back(cells_.back());
    is_reduction_.push_back(cell.reduction);
    cell.previous_reduction = cell.reduction;
    cell.channels_before_previous = cell.channels_previous;
    cell.channels_previous = kS1Nodes * cell.channels;
  }
  register_module("cells", cells);
  classifier_ = register_module(
      "classifier", torch::nn::Linear(cell.channels_previous, config.classes));
}

torch::Tensor S1Supernet::Forward(const torch::Tensor& images,
                                  const EdgeWeights& weights) {
  torch::Tensor before_previous = stem_->forward(images);
  torch::Tensor previous = before_previous;
  EdgeNoise noise;
  if (is_training()) {
    noise.noise = noise_;
    noise.forward = noise_forwards_;
  }
  for (size_t i = 0; i < cells_.size(); ++i) {
    noise.cell = static_cast<int>(i);
    torch::Tensor output = cells_[i]->Forward(
        before_previous, previous,
        is_reduction_[i] ? weights.reduce : weights.normal, noise);
    before_previous = previous;
    previous = output;
  }
  const torch::Tensor logits = classifier_->forward(previous.mean({2, 3}));
  if (is_training()) ++noise_forwards_;
  return logits;
}

absl::Status S1Supernet::SetSkipNoise(const SkipNoise& noise) {
  FD_RETURN_IF_ERROR(CheckSkipNoise(noise));
  noise_ = noise;
  noise_forwards_ = 0;
  return absl::OkStatus();
}

int64_t S1Supernet::edges() const { return EdgeCount(kS1Nodes); }

int64_t S1Supernet::candidates() const { return kS1Candidates.size(); }

}  // namespace fairdarts
