#include "search_space/engine_tensors.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/variable.h>

#include "absl/strings/match.h"
#include "fairdarts/base/check.h"

namespace fairdarts {
namespace {

// Moves a tensor of the module, values and all, to where `view` is.
void MoveInto(const torch::Tensor& view, torch::Tensor tensor) {
  const torch::NoGradGuard no_grad;
  view.copy_(tensor);
  tensor.set_data(view);
}

}  // namespace

EngineTensors::EngineTensors(const std::shared_ptr<void>& owner,
                             const std::vector<FlatTensor>& parameter_layout,
                             float* parameters,
                             const std::vector<FlatTensor>& statistic_layout,
                             float* statistics,
                             const NamedTensors& module_parameters,
                             const NamedTensors& module_buffers)
    : layout_(parameter_layout), buffer_(parameters) {
  // Keeps the engine alive.
  const auto view = [&](float* buffer, const FlatTensor& tensor) {
    return at::from_blob(
        buffer + tensor.offset, tensor.shape, [owner](void*) {}, at::kFloat);
  };
  FD_CHECK_EQ(module_parameters.size(), layout_.size());
  for (size_t i = 0; i < layout_.size(); ++i) {
    const auto& [name, parameter] = module_parameters[i];
    FD_CHECK_EQ(name, layout_[i].name);
    MoveInto(view(parameters, layout_[i]), parameter);
    parameters_.push_back(parameter);
  }
  std::vector<torch::Tensor> counters;
  size_t statistic = 0;
  for (const auto& [name, buffer] : module_buffers) {
    if (absl::EndsWith(name, "num_batches_tracked")) {
      counters.push_back(buffer);
      continue;
    }
    FD_CHECK_LT(statistic, statistic_layout.size());
    FD_CHECK_EQ(name, statistic_layout[statistic].name);
    MoveInto(view(statistics, statistic_layout[statistic++]), buffer);
  }
  FD_CHECK_EQ(statistic, statistic_layout.size());
  batches_tracked_ =
      at::zeros({static_cast<int64_t>(counters.size())}, at::kLong);
  for (size_t i = 0; i < counters.size(); ++i) {
    MoveInto(batches_tracked_[static_cast<int64_t>(i)], counters[i]);
  }
}

void EngineTensors::CheckInPlace() const {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    TORCH_CHECK(parameters_[i].const_data_ptr() == buffer_ + layout_[i].offset,
                layout_[i].name, " has been moved out of the fused network");
  }
}

uint64_t EngineTensors::Version() const {
  uint64_t version = 0;
  for (const torch::Tensor& parameter : parameters_) {
    version += parameter._version();
  }
  return version;
}

void EngineTensors::CountBatch() { batches_tracked_.add_(1); }

void CheckEngineImages(const torch::Tensor& images, int64_t channels) {
  TORCH_CHECK_VALUE(
      images.dim() == 4 && images.size(1) == channels && images.numel() > 0,
      "images [N, ", channels, ", H, W] are what the fused network takes, not ",
      images.sizes());
  TORCH_CHECK_NOT_IMPLEMENTED(
      images.device().is_cpu() && images.scalar_type() == at::kFloat &&
          !images.requires_grad(),
      "the fused network takes float32 images on the CPU without gradients");
}

Images ImagesOf(const torch::Tensor& contiguous) {
  return {contiguous.const_data_ptr<float>(),
          static_cast<int>(contiguous.size(0)),
          static_cast<int>(contiguous.size(2)),
          static_cast<int>(contiguous.size(3))};
}

torch::Tensor GradientOf(const torch::Tensor& flat,
                         const FlatTensor& parameter) {
  return flat.narrow(0, parameter.offset, parameter.size())
      .view(parameter.shape);
}

}  // namespace fairdarts
