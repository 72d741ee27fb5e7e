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
  EngineNode(std::shared_ptr<SearchEngine> engine,
             std::shared_ptr<EngineTensors> tensors,
             torch::autograd::edge_list next_edges)
      : Node(std::move(next_edges)),
        engine_(std::move(engine)),
        tensors_(std::move(tensors)),
        forward_(engine_->pending()),
        version_(tensors_->Version()) {}

  variable_list apply(variable_list&& gradients) override {
    TORCH_CHECK(engine_->pending() == forward_,
                "only the last forward of the fused search network can be "
                "differentiated, and once");
    TORCH_CHECK(tensors_->Version() == version_,
                "a parameter of the fused search network has changed since the "
                "forward that is differentiated");
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
  const std::shared_ptr<EngineTensors> tensors_;
  const int64_t forward_;
  const uint64_t version_;
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

torch::Tensor FusedSupernet::Forward(const torch::Tensor& images,
                                     const EdgeWeights& weights) {
  if (!is_training() && torch::GradMode::is_enabled()) {
    return plain_->Forward(images, weights);
  }
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
  tensors_->CountBatch();
  const std::vector<torch::Tensor>& parameters = tensors_->parameters();
  if (torch::autograd::compute_requires_grad(weights.normal, weights.reduce,
                                             parameters)) {
    const auto node = std::make_shared<EngineNode>(
        engine_, tensors_,
        torch::autograd::collect_next_edges(weights.normal, weights.reduce,
                                            parameters));
    torch::autograd::set_history(logits, node);
  }
  return logits;
}

}  // namespace fairdarts
