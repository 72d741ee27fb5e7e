#ifndef FAIRDARTS_GPU_ENGINES_LIBTORCH_ENGINE_H_
#define FAIRDARTS_GPU_ENGINES_LIBTORCH_ENGINE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "fairdarts/gpu_engines/gpu_engine.h"
#include "fairdarts/runtime/model_file.h"
#include "ops/cuda/element.h"

namespace fairdarts {

// LibTorch's modules with the weights of a file, in evaluation mode and in
// channels_last, on the GPU `device`: layer by layer, or with `graph` as one
// CUDA graph. Errors are what LibTorch throws.
absl::StatusOr<std::unique_ptr<GpuEngine>> MakeLibTorchEngine(
    const ModelFile& file, Precision precision, bool graph, int device,
    absl::Span<const float> images, int batch);

}  // namespace fairdarts

#endif  // FAIRDARTS_GPU_ENGINES_LIBTORCH_ENGINE_H_
