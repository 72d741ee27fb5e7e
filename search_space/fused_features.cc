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
#include "search_space/engine_tensors.h"

namespace fairdarts {
namespace {

using ::torch::autograd::variable_list;

// The engine in the graph: from the gradients of the pooled features and of
// what the auxiliary head reads to those of its parameters.
class EngineNode : public torch::autograd::Node {
 public:
  EngineNode(PendingForward<DerivedEngine> forward,
             torch::autograd::edge_list next_edges)
      : Node(std::move(next_edges)), forward_(std::move(forward)) {}

  variable_list apply(variable_list&& gradients) override {
    DerivedEngine& engine = forward_.TakeUp();
    const torch::NoGradGuard no_grad;
    const DerivedLayout& layout = engine.layout();
    torch::Tensor given[kOutputs];
    const float* data[kOutputs] = {};
    for (size_t i = 0; i < gradients.size(); ++i) {
      if (!gradients[i].defined()) continue;
      given[i] = gradients[i].contiguous();
      data[i] = given[i].const_data_ptr<float>();
    }
    // Memory of its own: who asked for the gradients keeps views of it.
    const torch::Tensor flat = torch::empty({layout.parameter_size});
    engine.Backward(data[0], data[1], flat.mutable_data_ptr<float>());
    // As in the plain network, what nothing reaches has no gradient.
    const std::vector<bool> reached = layout.Reached(data[1] != nullptr);
    variable_list result;
    for (size_t i = 0; i < layout.parameters.size(); ++i) {
      const FlatTensor& parameter = layout.parameters[i];
      result.push_back(reached[i] ? GradientOf(flat, parameter)
                                  : torch::Tensor());
    }
    return result;
  }

 private:
  static constexpr size_t kOutputs = 2;

  const PendingForward<DerivedEngine> forward_;
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
  FD_CHECK(tensors_ == nullptr);
  // Auxiliary head and classifier are torch's.
  const auto own = [](const auto& tensors) {
    NamedTensors kept;
    for (const auto& tensor : tensors) {
      if (absl::StartsWith(tensor.key(), "auxiliary_head.")) continue;
      if (absl::StartsWith(tensor.key(), "classifier.")) continue;
      kept.emplace_back(tensor.key(), tensor.value());
    }
    return kept;
  };
  const DerivedLayout& layout = engine_->layout();
  tensors_ = std::make_shared<EngineTensors>(
      engine_, layout.parameters, engine_->parameters(), layout.statistics,
      engine_->statistics(), own(network.named_parameters()),
      own(network.named_buffers()));
}

torch::Tensor FusedFeatures::Evaluate(const torch::Tensor& images) {
  CheckEngineImages(images, engine_->layout().image_channels);
  tensors_->CheckInPlace();
  const torch::Tensor pixels = images.contiguous();
  torch::Tensor pooled =
      torch::empty({pixels.size(0), engine_->pooled_channels()});
  engine_->Evaluate(ImagesOf(pixels), pooled.mutable_data_ptr<float>());
  return pooled;
}

FusedFeatures::Output FusedFeatures::Forward(const torch::Tensor& images,
                                             PathDropper& dropper,
                                             bool auxiliary) {
  CheckEngineImages(images, engine_->layout().image_channels);
  tensors_->CheckInPlace();
  const DerivedLayout& layout = engine_->layout();
  const torch::Tensor pixels = images.contiguous();
  const int64_t count = pixels.size(0);
  const Images engine_images = ImagesOf(pixels);
  std::vector<float> scales;
  for (int path = 0; dropper.drops() && path < layout.paths; ++path) {
    const std::vector<float> drawn = dropper.DrawScales(count);
    scales.insert(scales.end(), drawn.begin(), drawn.end());
  }
  Output features;
  features.pooled = torch::empty({count, engine_->pooled_channels()});
  if (auxiliary) {
    const MapSize map =
        engine_->AuxiliaryMap({engine_images.height, engine_images.width});
    features.auxiliary = torch::empty(
        {count, engine_->auxiliary_channels(), map.height, map.width});
  }
  const absl::Status status = engine_->Forward(
      engine_images, {scales.empty() ? nullptr : scales.data()},
      features.pooled.mutable_data_ptr<float>(),
      auxiliary ? features.auxiliary.mutable_data_ptr<float>() : nullptr);
  TORCH_CHECK_VALUE(status.ok(), std::string(status.message()));
  tensors_->CountBatch();
  const std::vector<torch::Tensor>& parameters = tensors_->parameters();
  if (torch::autograd::compute_requires_grad(parameters)) {
    const auto node = std::make_shared<EngineNode>(
        PendingForward<DerivedEngine>(engine_, tensors_),
        torch::autograd::collect_next_edges(parameters));
    torch::autograd::set_history(features.pooled, node);
    if (auxiliary) torch::autograd::set_history(features.auxiliary, node);
  }
  return features;
}

}  // namespace fairdarts
