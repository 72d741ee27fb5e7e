#ifndef FAIRDARTS_RUNTIME_CUDA_CUDNN_CONVOLUTION_H_
#define FAIRDARTS_RUNTIME_CUDA_CUDNN_CONVOLUTION_H_

// A dense convolution as cuDNN does it: y = ReLU(w * x + b), or without ReLU,
// as one graph of its backend interface.
//
// Maps are NHWC, x and y of any pitch. Filters are [K][R][S][C], biases [K],
// both elements of the maps' type. Sums are float32, and y is rounded once.
// With float32 maps all is float32: no engine that rounds its inputs, as TF32
// does, or transforms them, is taken. Nor is one that repeats a run with other
// bits, or that cuDNN compiles at run time: what is left needs neither a
// compiler nor the time for it, but takes no float32 bias with other maps.

#include <cudnn_graph.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "fairdarts/runtime/cuda/cudnn_library.h"
#include "fairdarts/runtime/cuda/cudnn_resources.h"
#include "ops/cuda/element.h"
#include "ops/cuda/stage.h"

namespace fairdarts {

// What a convolution is made for: the GPU of a handle, or, where there is none,
// a GPU that a CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR describes (from cuDNN 9.8
// on), which tells what would be done there.
struct CudnnTarget {
  cudnnHandle_t handle = nullptr;
  cudnnBackendDescriptor_t device = nullptr;
};

// Whether a task that is one dense segment (see IsPlainConvolution) can be
// described to cuDNN: its windows begin no later than the map, and miss no more
// of its end than their stride skips.
bool CudnnCanDescribe(const StageTask& task, const StageSegment& segment);

// One thread at a time uses it.
class CudnnConvolution {
 public:
  // The first engine of cuDNN's lists, the best one in front, that computes as
  // above and wants no more workspace than `most_workspace` bytes. The task is
  // a schedule's, so with its number of images; the maps' offsets do not
  // matter. Unimplemented where cuDNN has none or CudnnCanDescribe says no;
  // else errors are CudnnError's.
  static absl::StatusOr<CudnnConvolution> Create(const Cudnn& cudnn,
                                                 const CudnnTarget& target,
                                                 Precision precision,
                                                 const StageTask& task,
                                                 const StageSegment& segment,
                                                 int64_t most_workspace);

  CudnnConvolution(CudnnConvolution&&) = default;
  CudnnConvolution& operator=(CudnnConvolution&&) = default;

  // On the GPU, from an address that is a multiple of 256 on.
  int64_t workspace_bytes() const { return workspace_bytes_; }

  // Where on the GPU Execute finds everything, each address a multiple of 16;
  // x and y are those of the maps' first elements. What is under way keeps what
  // it was given.
  absl::Status Bind(void* x, void* w, void* b, void* y, void* workspace);

  // Puts the work into the handle's stream; Bind came before. Allocates no
  // memory and waits for nothing, so the stream may be one that is being
  // captured; but once before that it is to be executed in one that is not,
  // since cuDNN loads a kernel when it is first used.
  absl::Status Execute(cudnnHandle_t handle) const;

 private:
  CudnnConvolution(const Cudnn& cudnn, std::vector<CudnnDescriptor> graph,
                   CudnnDescriptor plan, int64_t workspace_bytes);

  const Cudnn* cudnn_;
  std::vector<CudnnDescriptor> graph_;  // what the plan refers to
  CudnnDescriptor plan_;
  int64_t workspace_bytes_;
  absl::optional<CudnnDescriptor> pointers_;
};

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_CUDA_CUDNN_CONVOLUTION_H_
