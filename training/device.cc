#include "training/device.h"

#include <torch/cuda.h>

#include "fairdarts/base/status.h"

namespace fairdarts {

absl::StatusOr<c10::Device> FindDevice(bool cuda) {
  if (!cuda) return c10::Device(c10::kCPU);
  if (!torch::cuda::is_available()) {
    return EnvironmentError(
        "device cuda: this LibTorch finds no GPU that it can use; use "
        "--device=cpu");
  }
  return c10::Device(c10::kCUDA);
}

}  // namespace fairdarts
