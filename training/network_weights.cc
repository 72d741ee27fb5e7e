#include "training/network_weights.h"

#include <torch/utils.h>

#include <cstring>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/safetensors.h"
#include "fairdarts/base/status.h"
#include "ops/torch_status.h"
#include "search_space/network_factory.h"

namespace fairdarts {

ModelDescription DescribeNetwork(const DerivedNetwork& network,
                                 const Dataset& dataset) {
  ModelDescription description;
  description.genotype = network.genotype();
  description.network = network.config();
  description.normalization = {dataset.mean, dataset.standard_deviation};
  description.class_names = dataset.class_names;
  return description;
}

absl::StatusOr<std::string> SerializeNetwork(
    const DerivedNetwork& network, const ModelDescription& description) {
  // Keeps the copies alive that the views below point into.
  std::vector<torch::Tensor> copies;
  std::vector<TensorToWrite> tensors;
  const auto add = [&](const std::string& name, const torch::Tensor& tensor) {
    if (absl::StartsWith(name, "auxiliary_head.") ||
        absl::EndsWith(name, "num_batches_tracked")) {
      return absl::OkStatus();
    }
    if (!tensor.isfinite().all().item<bool>()) {
      return NumbersError(
          absl::StrCat("tensor ", name, ": holds a number that is not finite"));
    }
    copies.push_back(
        tensor.detach().to(torch::kCPU, torch::kFloat).contiguous());
    const torch::Tensor& copy = copies.back();
    tensors.push_back(
        {name,
         {DType::kF32,
          copy.sizes().vec(),
          {static_cast<const char*>(copy.const_data_ptr()), copy.nbytes()}}});
    return absl::OkStatus();
  };
  for (const auto& item : network.named_parameters()) {
    FD_RETURN_IF_ERROR(add(item.key(), item.value()));
  }
  for (const auto& item : network.named_buffers()) {
    FD_RETURN_IF_ERROR(add(item.key(), item.value()));
  }
  return SerializeModelFile(description, tensors);
}

absl::StatusOr<std::shared_ptr<DerivedNetwork>> LoadNetwork(
    const ModelFile& file) {
  NetworkConfig config = file.description().network;
  config.auxiliary = false;
  FD_ASSIGN_OR_RETURN(std::shared_ptr<DerivedNetwork> network,
                      MakeDerivedNetwork(file.description().genotype, config));
  FD_RETURN_IF_ERROR(CatchTorch("network", [&] {
    const torch::NoGradGuard no_gradients;
    const auto copy = [&](const std::string& name, torch::Tensor& tensor) {
      if (absl::EndsWith(name, "num_batches_tracked")) return;
      // The file has passed its checks: names and shapes are these.
      const TensorView& view = file.Tensor(name);
      torch::Tensor values = torch::empty(view.shape, torch::kFloat);
      FD_CHECK_EQ(values.nbytes(), view.data.size()) << name;
      std::memcpy(values.mutable_data_ptr(), view.data.data(),
                  view.data.size());
      tensor.copy_(values);
    };
    for (auto& item : network->named_parameters()) {
      copy(item.key(), item.value());
    }
    for (auto& item : network->named_buffers()) {
      copy(item.key(), item.value());
    }
  }));
  return network;
}

}  // namespace fairdarts
