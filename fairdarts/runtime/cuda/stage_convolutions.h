#ifndef FAIRDARTS_RUNTIME_CUDA_STAGE_CONVOLUTIONS_H_
#define FAIRDARTS_RUNTIME_CUDA_STAGE_CONVOLUTIONS_H_

// The launches of a schedule that cuDNN does.

#include <cudnn_graph.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "fairdarts/runtime/cuda/convolution_weights.h"
#include "fairdarts/runtime/cuda/cudnn_convolution.h"
#include "fairdarts/runtime/cuda/cudnn_library.h"
#include "fairdarts/runtime/cuda/stage_plan.h"
#include "fairdarts/runtime/cuda/stage_schedule.h"

namespace fairdarts {

class StageConvolutions {
 public:
  // Makes those of kind kConvolution, each with at most `most_workspace` bytes.
  // Errors are those of CudnnConvolution::Create: unimplemented where the stage
  // kernel has to do one of them, also for a bias that float alone holds.
  static absl::StatusOr<StageConvolutions> Create(const Cudnn& cudnn,
                                                  const CudnnTarget& target,
                                                  const StagePlan& plan,
                                                  const StageSchedule& schedule,
                                                  int64_t most_workspace);

  // Room that they need, one after the other in a stream.
  int64_t workspace_bytes() const { return workspace_bytes_; }

  // Where on the GPU the arena is, the bytes of UnpackConvolutions(plan) and
  // the workspace; each begins at a multiple of 256.
  absl::Status Bind(const ConvolutionWeights& weights, void* arena,
                    void* weights_on_gpu, void* workspace);

  // Launch `launch` of the schedule, which is of kind kConvolution, in the
  // handle's stream; see CudnnConvolution::Execute.
  absl::Status Execute(int launch, cudnnHandle_t handle) const;

 private:
  struct Convolution {
    int launch;
    int segment;
    int64_t in;  // in bytes of the arena
    int64_t out;
    CudnnConvolution convolution;
  };

  std::vector<Convolution> convolutions_;  // by launch
  int64_t workspace_bytes_ = 0;
};

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_CUDA_STAGE_CONVOLUTIONS_H_
