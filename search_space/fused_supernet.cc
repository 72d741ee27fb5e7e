#include "search_space/fused_supernet.h"

#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "ops/torch_status.h"
#include "search_space/engine/search_engine.h"

namespace fairdarts {
namespace {

using ::torch::autograd::variable_list;

// A view of one tensor of a flat buffer; it keeps the engine alive.
torch::Tensor EngineView(const std::shared_ptr<SearchEngine>& engine,
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

// The engine in the graph: from the gradient of the logits to those of the
// edges' weights (normal, reduce) and of every parameter.
class EngineNode : public torch::autograd::Node {
 public:
  EngineNode(std::shared_ptr<SearchEngine> engine,
             torch::autograd::edge_list next_edges)
      : Node(std::move(next_edges)),
        engine_(std::move(engine)),
        forward_(engine_->pending()) {}

  variable_list apply(variable_list&& gradients) override {
    TORCH_CHECK(engine_->pending() == forward_,
                "only the last forward of the fused search network can be "
                "differentiated, and once");
    const torch::NoGradGuard no_grad;
    const auto& parameters = engine_->layout().parameters;
    bool with_parameters = false;
    for (size_t i = 0; i < parameters.size(); ++i) {
      with_parameters |= task_should_compute_output(kEdgeWeights + i);
    }
    // Memory of its own: who asked for the gradients keeps views of it.
    torch::Tensor flat;
    if (with_parameters) {
      flat = torch::empty({engine_->layout().parameter_size});
    }
    const SearchEngine::WeightGradients weights = engine_->Backward(
        gradients[0].contiguous().const_data_ptr<float>(),
        with_parameters ? flat.mutable_data_ptr<float>() : nullptr);
    variable_list result;
    for (const std::vector<float>* matrix :
         {&weights.normal, &weights.reduce}) {
      result.push_back(
          torch::tensor(*matrix).view({kS1Edges, kEdgeCandidates}));
    }
    for (const FlatTensor& parameter : parameters) {
      result.push_back(with_parameters
                           ? flat.narrow(0, parameter.offset, parameter.size())
                                 .view(parameter.shape)
                           : torch::Tensor());
    }
    return result;
  }

 private:
  static constexpr size_t kEdgeWeights = 2;

  const std::shared_ptr<SearchEngine> engine_;
  const int64_t forward_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<FusedSupernet>> FusedSupernet::Create(
    const S1Config& config, int threads) {
  FD_ASSIGN_OR_RETURN(std::shared_ptr<S1Supernet> plain,
                      S1Supernet::Create(config));
  SearchEngineOptions options;
  options.threads = threads;
  FD_ASSIGN_OR_RETURN(std::shared_ptr<SearchEngine> engine,
                      SearchEngine::Create(config, options));
  return CatchTorch("search network", [&] {
    return std::shared_ptr<FusedSupernet>(
        new FusedSupernet(std::move(plain), std::move(engine)));
  });
}

FusedSupernet::FusedSupernet(std::shared_ptr<S1Supernet> plain,
                             std::shared_ptr<SearchEngine> engine)
    : plain_(std::move(plain)), engine_(std::move(engine)) {
  for (const auto& child : plain_->named_children()) {
    register_module(child.key(), child.value());
  }
  const NetworkLayout& layout = engine_->layout();
  const auto named = named_parameters();
  FD_CHECK_EQ(named.size(), layout.parameters.size());
  for (size_t i = 0; i < layout.parameters.size(); ++i) {
    FD_CHECK_EQ(named[i].key(), layout.parameters[i].name);
    parameters_.push_back(named[i].value());
    MoveInto(EngineView(engine_, engine_->parameters(), layout.parameters[i]),
             parameters_.back());
  }
  std::vector<torch::Tensor> counters;
  size_t statistic = 0;
  for (const auto& buffer : named_buffers()) {
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

torch::Tensor FusedSupernet::Forward(const torch::Tensor& images,
                                     const EdgeWeights& weights) {
  if (!is_training() && torch::GradMode::is_enabled()) {
    return plain_->Forward(images, weights);
  }
  const NetworkLayout& layout = engine_->layout();
  TORCH_CHECK_VALUE(
      images.dim() == 4 && images.size(1) == engine_->config().image_channels &&
          images.numel() > 0,
      "images [N, ", engine_->config().image_channels,
      ", H, W] are what the search network takes, not ", images.sizes());
  TORCH_CHECK_NOT_IMPLEMENTED(
      images.device().is_cpu() && images.scalar_type() == torch::kFloat &&
          !images.requires_grad(),
      "the fused search network takes float32 images on the CPU without "
      "gradients");
  for (size_t i = 0; i < parameters_.size(); ++i) {
    TORCH_CHECK(parameters_[i].const_data_ptr() ==
                    engine_->parameters() + layout.parameters[i].offset,
                layout.parameters[i].name,
                " has been moved out of the fused search network");
  }
  const auto plain = [](const torch::Tensor& tensor) {
    return tensor.detach().to(torch::kFloat).contiguous();
  };
  const torch::Tensor pixels = plain(images);
  const torch::Tensor normal = plain(weights.normal);
  const torch::Tensor reduce = plain(weights.reduce);
  TORCH_CHECK_VALUE(normal.numel() == kS1Edges * kEdgeCandidates &&
                        reduce.numel() == kS1Edges * kEdgeCandidates,
                    "weights of edges are [14, 7]");
  torch::Tensor logits =
      torch::empty({pixels.size(0), engine_->config().classes});
  const Images engine_images = {
      pixels.const_data_ptr<float>(), static_cast<int>(pixels.size(0)),
      static_cast<int>(pixels.size(2)), static_cast<int>(pixels.size(3))};
  const SearchEngine::Weights engine_weights = {normal.const_data_ptr<float>(),
                                                reduce.const_data_ptr<float>()};
  float* const to = logits.mutable_data_ptr<float>();
  if (!is_training()) {
    engine_->Evaluate(engine_images, engine_weights, to);
    return logits;
  }
  const absl::Status status =
      engine_->Forward(engine_images, engine_weights, to);
  TORCH_CHECK_VALUE(status.ok(), std::string(status.message()));
  batches_tracked_.add_(1);
  if (torch::autograd::compute_requires_grad(weights.normal, weights.reduce,
                                             parameters_)) {
    const auto node = std::make_shared<EngineNode>(
        engine_, torch::autograd::collect_next_edges(
                     weights.normal, weights.reduce, parameters_));
    torch::autograd::set_history(logits, node);
  }
  return logits;
}

}  // namespace fairdarts
