#include "training/weights_file.h"

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "fairdarts/base/safetensors.h"
#include "fairdarts/base/status.h"
#include "torch/types.h"
#include "training/checkpoint/dtype.h"

namespace fairdarts {

absl::StatusOr<std::string> SerializeWeights(
    const torch::nn::Module& module, const Alphas& alphas,
    const std::map<std::string, std::string>& metadata) {
  // Keeps the contiguous copies alive that the views below point into.
  std::vector<torch::Tensor> copies;
  std::vector<TensorToWrite> tensors;
  const auto add = [&](const std::string& name,
                       const torch::Tensor& tensor) -> absl::Status {
    const absl::optional<DType> dtype = DTypeOf(tensor.scalar_type());
    if (!dtype.has_value()) {
      return absl::UnimplementedError(
          absl::StrCat("tensor ", name, ": no safetensors type for ",
                       torch::toString(tensor.scalar_type())));
    }
    copies.push_back(tensor.detach().to(torch::kCPU).contiguous());
    const torch::Tensor& copy = copies.back();
    tensors.push_back(
        {name,
         {*dtype,
          copy.sizes().vec(),
          {static_cast<const char*>(copy.const_data_ptr()), copy.nbytes()}}});
    return absl::OkStatus();
  };
  for (const auto& item : module.named_parameters()) {
    FD_RETURN_IF_ERROR(add(item.key(), item.value()));
  }
  for (const auto& item : module.named_buffers()) {
    FD_RETURN_IF_ERROR(add(item.key(), item.value()));
  }
  FD_RETURN_IF_ERROR(add("alphas_normal", alphas.normal));
  FD_RETURN_IF_ERROR(add("alphas_reduce", alphas.reduce));
  return SerializeSafetensors(tensors, metadata);
}

}  // namespace fairdarts
