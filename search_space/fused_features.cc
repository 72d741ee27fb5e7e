#include "search_space/fused_features.h"

#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <string>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/match.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "search_space/engine/derived_engine.h"

namespace fairdarts {
namespace {

using ::torch::autograd::variable_list;

// A view of one tensor of a flat buffer; it keeps the engine alive.
torch::Tensor EngineView(const std::shared_ptr<DerivedEngine>& engine,
                         float* buffer, const FlatTensor& tensor) {
  return torch::from_blob(buffer + tensor.offset, tensor.shape,
                          [engine](void*) {});
}

// Moves a tensor of the module, values and all, into the engine.
void MoveInto(const torch::Tensor& view, torch::Tensor tensor) {
  const torch::NoGradGuard no_grad;
  view.copy_(tensor);
  tensor.set_data(view);
}

// The engine in the graph: from the gradients of the pooled features and of
// what the auxiliary head reads to those of its parameters.
class EngineNode : public torch::autograd::Node {
 public:
  EngineNode(std::shared_ptr<DerivedEngine> engine,
             torch::autograd::edge_list next_edges)
      : Node(std::move(next_edges)),
        engine_(std::move(engine)),
        forward_(engine_->pending()) {}

  variable_list apply(variable_list&& gradients) override {
    TORCH_CHECK(engine_->pending() == forward_,
                "only the last forward of the fused network can be "
                "differentiated, and once");
    const torch::NoGradGuard no_grad;
    const DerivedLayout& layout = engine_->layout();
    torch::Tensor given[kOutputs];
    const float* data[kOutputs] = {};
    for (size_t i = 0; i < gradients.size(); ++i) {
      if (!gradients[i].defined()) continue;
      given[i] = gradients[i].contiguous();
      data[i] = given[i].const_data_ptr<float>();
    }
    // Memory of its own: who asked for the gradients keeps views of it.
    const torch::Tensor flat = torch::empty({layout.parameter_size});
    engine_->Backward(data[0], data[1], flat.mutable_data_ptr<float>());
    // As in the plain network, what nothing reaches has no gradient.
    const std::vector<bool> reached = layout.Reached(data[1] != nullptr);
    variable_list result;
    for (size_t i = 0; i < layout.parameters.size(); ++i) {
      const FlatTensor& parameter = layout.parameters[i];
      result.push_back(reached[i]
                           ? flat.narrow(0, parameter.offset, parameter.size())
                                 .view(parameter.shape)
                           : torch::Tensor());
    }
    return result;
  }

 private:
  static constexpr size_t kOutputs = 2;

  const std::shared_ptr<DerivedEngine> engine_;
  const int64_t forward_;
};

}  // namespace

absl::Status FusedFeatures::Check(const Genotype& genotype,
                                  const NetworkConfig& config) {
  return CheckDerivedEngine(genotype, config);
}

absl::StatusOr<std::unique_ptr<FusedFeatures>> FusedFeatures::Create(
    const Genotype& genotype, const NetworkConfig& config, int threads) {
  DerivedEngineOptions options;
  options.threads = threads;
  FD_ASSIGN_OR_RETURN(std::shared_ptr<DerivedEngine> engine,
                      DerivedEngine::Create(genotype, config, options));
  return absl::WrapUnique(new FusedFeatures(std::move(engine)));
}

FusedFeatures::FusedFeatures(std::shared_ptr<DerivedEngine> engine)
    : engine_(std::move(engine)) {}

void FusedFeatures::TakeOver(torch::nn::Module& network) {
  FD_CHECK(parameters_.empty());
  const DerivedLayout& layout = engine_->layout();
  const auto own = [](const std::string& name) {
    return !absl::StartsWith(name, "auxiliary_head.") &&
           !absl::StartsWith(name, "classifier.");
  };
  for (const auto& parameter : network.named_parameters()) {
    if (!own(parameter.key())) continue;
    const size_t i = parameters_.size();
    FD_CHECK_LT(i, layout.parameters.size());
    FD_CHECK_EQ(parameter.key(), layout.parameters[i].name);
    parameters_.push_back(parameter.value());
    MoveInto(EngineView(engine_, engine_->parameters(), layout.parameters[i]),
             parameter.value());
  }
  FD_CHECK_EQ(parameters_.size(), layout.parameters.size());
  std::vector<torch::Tensor> counters;
  size_t statistic = 0;
  for (const auto& buffer : network.named_buffers()) {
    if (!own(buffer.key())) continue;
    if (absl::EndsWith(buffer.key(), "num_batches_tracked")) {
      counters.push_back(buffer.value());
      continue;
    }
    FD_CHECK_LT(statistic, layout.statistics.size());
    FD_CHECK_EQ(buffer.key(), layout.statistics[statistic].name);
    MoveInto(EngineView(engine_, engine_->statistics(),
                        layout.statistics[statistic++]),
             buffer.value());
  }
  FD_CHECK_EQ(statistic, layout.statistics.size());
  batches_tracked_ =
      torch::zeros({static_cast<int64_t>(counters.size())}, torch::kInt64);
  for (size_t i = 0; i < counters.size(); ++i) {
    MoveInto(batches_tracked_[static_cast<int64_t>(i)], counters[i]);
  }
}

FusedFeatures::Output FusedFeatures::Forward(const torch::Tensor& images,
                                             PathDropper& dropper,
                                             bool auxiliary) {
  const DerivedLayout& layout = engine_->layout();
  TORCH_CHECK_VALUE(images.dim() == 4 &&
                        images.size(1) == layout.image_channels &&
                        images.numel() > 0,
                    "images [N, ", layout.image_channels,
                    ", H, W] are what the network takes, not ", images.sizes());
  TORCH_CHECK_NOT_IMPLEMENTED(
      images.device().is_cpu() && images.scalar_type() == torch::kFloat &&
          !images.requires_grad(),
      "the fused network takes float32 images on the CPU without gradients");
  for (size_t i = 0; i < parameters_.size(); ++i) {
    TORCH_CHECK(parameters_[i].const_data_ptr() ==
                    engine_->parameters() + layout.parameters[i].offset,
                layout.parameters[i].name,
                " has been moved out of the fused network");
  }
  const torch::Tensor pixels = images.contiguous();
  const int64_t count = pixels.size(0);
  const MapSize size{static_cast<int>(pixels.size(2)),
                     static_cast<int>(pixels.size(3))};
  std::vector<float> scales;
  for (int path = 0; dropper.drops() && path < layout.paths; ++path) {
    const std::vector<float> drawn = dropper.DrawScales(count);
    scales.insert(scales.end(), drawn.begin(), drawn.end());
  }
  Output features;
  features.pooled = torch::empty({count, engine_->pooled_channels()});
  if (auxiliary) {
    const MapSize map = engine_->AuxiliaryMap(size);
    features.auxiliary = torch::empty(
        {count, engine_->auxiliary_channels(), map.height, map.width});
  }
  const absl::Status status = engine_->Forward(
      {pixels.const_data_ptr<float>(), static_cast<int>(count), size.height,
       size.width},
      {scales.empty() ? nullptr : scales.data()},
      features.pooled.mutable_data_ptr<float>(),
      auxiliary ? features.auxiliary.mutable_data_ptr<float>() : nullptr);
  TORCH_CHECK_VALUE(status.ok(), std::string(status.message()));
  batches_tracked_.add_(1);
  if (torch::autograd::compute_requires_grad(parameters_)) {
    const auto node = std::make_shared<EngineNode>(
        engine_, torch::autograd::collect_next_edges(parameters_));
    torch::autograd::set_history(features.pooled, node);
    if (auxiliary) torch::autograd::set_history(features.auxiliary, node);
  }
  return features;
}

}  // namespace fairdarts
