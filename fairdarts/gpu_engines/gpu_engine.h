#ifndef FAIRDARTS_GPU_ENGINES_GPU_ENGINE_H_
#define FAIRDARTS_GPU_ENGINES_GPU_ENGINE_H_

// One way to run a network on a GPU, for benchmarks.

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fairdarts {

// Holds a network and a batch of images on the GPU. Used by one thread.
class GpuEngine {
 public:
  static constexpr int kUnknown = -1;

  virtual ~GpuEngine() = default;

  // Asks for the logits of the batch once more, and may return before they are
  // there.
  virtual absl::Status Run() = 0;
  // Until everything that was asked for is done.
  virtual absl::Status Wait() = 0;
  // [batch, classes] of the last run, which is done.
  virtual absl::StatusOr<std::vector<float>> Logits() = 0;
  // Kernels that a run launches.
  virtual int kernels() const { return kUnknown; }
};

}  // namespace fairdarts

#endif  // FAIRDARTS_GPU_ENGINES_GPU_ENGINE_H_
