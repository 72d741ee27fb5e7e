#ifndef FAIRDARTS_RUNTIME_CUDA_HOST_NETWORK_H_
#define FAIRDARTS_RUNTIME_CUDA_HOST_NETWORK_H_

// A lowered network on the host, launch by launch, for tests.

#include <vector>

#include "absl/types/span.h"
#include "fairdarts/runtime/cuda/stage_plan.h"
#include "fairdarts/runtime/cuda/stage_schedule.h"

namespace fairdarts {

// Images [batch, C, H, W] to logits [batch, classes] by the kernel's source
// (ops/cuda/host_stage.h). The schedule has no convolutions of a library.
std::vector<float> RunOnHost(const StagePlan& plan,
                             const StageSchedule& schedule,
                             absl::Span<const float> images);

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_CUDA_HOST_NETWORK_H_
