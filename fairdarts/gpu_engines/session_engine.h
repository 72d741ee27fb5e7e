#ifndef FAIRDARTS_GPU_ENGINES_SESSION_ENGINE_H_
#define FAIRDARTS_GPU_ENGINES_SESSION_ENGINE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "fairdarts/gpu_engines/gpu_engine.h"
#include "fairdarts/runtime/cuda/cuda_session.h"

namespace fairdarts {

// A session of ours over the bytes of a model file, with images
// [batch, C, H, W] in the GPU's memory; what `options` says of batch sizes is
// replaced. Errors are those of CudaSession::LoadBytes.
absl::StatusOr<std::unique_ptr<GpuEngine>> MakeSessionEngine(
    std::string bytes, absl::string_view name, CudaOptions options,
    absl::Span<const float> images, int batch);

}  // namespace fairdarts

#endif  // FAIRDARTS_GPU_ENGINES_SESSION_ENGINE_H_
