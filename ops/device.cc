#include "ops/device.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/cuda.h>

#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "ops/torch_status.h"

namespace fairdarts {

absl::StatusOr<c10::Device> FindDevice(bool cuda, bool deterministic) {
  if (!cuda) return c10::Device(c10::kCPU);
  if (!at::Context::hasCUDART()) {
    return EnvironmentError(
        "device cuda: this program is built without CUDA; build it with "
        "--config=cuda, or use --device=cpu");
  }
  SetUpCudaMath(deterministic);
  if (!torch::cuda::is_available()) {
    return EnvironmentError(
        "device cuda: CUDA finds no GPU that it can use; see what nvidia-smi "
        "says, or use --device=cpu");
  }
  const c10::Device device(c10::kCUDA, 0);
  // A GPU that is there may be another program's, full, or one that LibTorch
  // has no code for: the first kernel tells.
  const absl::Status usable = CatchTorch([&] {
    const c10::impl::VirtualGuardImpl streams(device.type());
    if (streams.getStream(device) == streams.getDefaultStream(device)) {
      streams.exchangeStream(streams.getStreamFromGlobalPool(device));
    }
    at::ones({1}, at::TensorOptions().device(device)).item();
  });
  if (!usable.ok()) {
    return EnvironmentError(absl::StrCat("device cuda: ", usable.message(),
                                         "; or use --device=cpu"));
  }
  return device;
}

void SetUpCudaMath(bool deterministic) {
  at::Context& context = at::globalContext();
  context.setAllowTF32CuDNN(false);
  context.setAllowTF32CuBLAS(false);
  context.setBenchmarkCuDNN(!deterministic);
  context.setDeterministicCuDNN(deterministic);
  context.setDeterministicAlgorithms(deterministic, /*warn_only=*/false);
  // It would only cost time: nothing reads what it has not written.
  context.setDeterministicFillUninitializedMemory(false);
  // cuBLAS' products are deterministic where each stream has a workspace of
  // its own; torch insists on it.
  if (deterministic) {
    setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  }
}

}  // namespace fairdarts
