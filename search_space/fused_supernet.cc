#include "search_space/fused_supernet.h"

#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <string>
#include <utility>

#include "fairdarts/base/status.h"
#include "ops/torch_status.h"
#include "search_space/engine/search_engine.h"
#include "search_space/engine_tensors.h"

namespace fairdarts {
namespace {

using ::torch::autograd::variable_list;

// The engine in the graph: from the gradient of the logits to those of the
// edges' weights (normal, reduce) and of every parameter.
class EngineNode : public torch::autograd::Node {
 public:
  EngineNode(PendingForward<SearchEngine> forward,
             torch::autograd::edge_list next_edges)
      : Node(std::move(next_edges)), forward_(std::move(forward)) {}

  variable_list apply(variable_list&& gradients) override {
    SearchEngine& engine = forward_.TakeUp();
    const torch::NoGradGuard no_grad;
    const auto& parameters = engine.layout().parameters;
    bool with_parameters = false;
    for (size_t i = 0; i < parameters.size(); ++i) {
      with_parameters |= task_should_compute_output(kEdgeWeights + i);
    }
    // Memory of its own: who asked for the gradients keeps views of it.
    torch::Tensor flat;
    if (with_parameters) {
      flat = torch::empty({engine.layout().parameter_size});
    }
    const bool with_weights =
        task_should_compute_output(0) || task_should_compute_output(1);
    const SearchEngine::WeightGradients weights = engine.Backward(
        gradients[0].contiguous().const_data_ptr<float>(),
        with_parameters ? flat.mutable_data_ptr<float>() : nullptr,
        with_weights);
    variable_list result;
    for (const std::vector<float>* matrix :
         {&weights.normal, &weights.reduce}) {
      result.push_back(with_weights ? torch::tensor(*matrix).view(
                                          {kS1Edges, kEdgeCandidates})
                                    : torch::Tensor());
    }
    for (const FlatTensor& parameter : parameters) {
      result.push_back(with_parameters ? GradientOf(flat, parameter)
                                       : torch::Tensor());
    }
    return result;
  }

 private:
  static constexpr size_t kEdgeWeights = 2;

  const PendingForward<SearchEngine> forward_;
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
  const auto named = [](const auto& tensors) {
    NamedTensors all;
    for (const auto& tensor : tensors) {
      all.emplace_back(tensor.key(), tensor.value());
    }
    return all;
  };
  const NetworkLayout& layout = engine_->layout();
  tensors_ = std::make_shared<EngineTensors>(
      engine_, layout.parameters, engine_->parameters(), layout.statistics,
      engine_->statistics(), named(named_parameters()), named(named_buffers()));
}

// The plain one evaluates alone, where there is no noise.
absl::Status FusedSupernet::SetSkipNoise(const SkipNoise& noise) {
  return engine_->SetSkipNoise(noise);
}

torch::Tensor FusedSupernet::Forward(const torch::Tensor& images,
                                     const EdgeWeights& weights) {
  if (!is_training() && torch::GradMode::is_enabled()) {
    return plain_->Forward(images, weights);
  }
  CheckEngineImages(images, engine_->config().image_channels);
  tensors_->CheckInPlace();
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
  const Images engine_images = ImagesOf(pixels);
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
  tensors_->CountBatch();
  const std::vector<torch::Tensor>& parameters = tensors_->parameters();
  if (torch::autograd::compute_requires_grad(weights.normal, weights.reduce,
                                             parameters)) {
    const auto node = std::make_shared<EngineNode>(
        PendingForward<SearchEngine>(engine_, tensors_),
        torch::autograd::collect_next_edges(weights.normal, weights.reduce,
                                            parameters));
    torch::autograd::set_history(logits, node);
  }
  return logits;
}

}  // namespace fairdarts
