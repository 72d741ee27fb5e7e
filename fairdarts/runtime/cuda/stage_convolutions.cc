#include "fairdarts/runtime/cuda/stage_convolutions.h"

#include <algorithm>
#include <utility>

#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"

namespace fairdarts {

absl::StatusOr<StageConvolutions> StageConvolutions::Create(
    const Cudnn& cudnn, const CudnnTarget& target, const StagePlan& plan,
    const StageSchedule& schedule, int64_t most_workspace) {
  const int64_t element_bytes = ElementBytes(plan.precision);
  StageConvolutions made;
  for (size_t i = 0; i < schedule.launches.size(); ++i) {
    const StageLaunch& launch = schedule.launches[i];
    if (launch.kind != StageLaunch::Kind::kConvolution) continue;
    const StageTask& task = schedule.tasks[launch.first_task];
    const StageSegment& segment = schedule.segments[task.first_segment];
    if (!BiasFits(plan, task)) {
      return absl::UnimplementedError(
          "cuDNN takes a convolution's bias in the precision of its maps, "
          "where it would be infinite");
    }
    FD_ASSIGN_OR_RETURN(
        CudnnConvolution convolution,
        CudnnConvolution::Create(cudnn, target, plan.precision, task, segment,
                                 most_workspace));
    made.workspace_bytes_ =
        std::max(made.workspace_bytes_, convolution.workspace_bytes());
    made.convolutions_.push_back({static_cast<int>(i), task.first_segment,
                                  segment.in.offset * element_bytes,
                                  task.out.offset * element_bytes,
                                  std::move(convolution)});
  }
  return made;
}

absl::Status StageConvolutions::Bind(const ConvolutionWeights& weights,
                                     void* arena, void* weights_on_gpu,
                                     void* workspace) {
  // Addresses on the GPU, not of objects here.
  const auto at = [](void* base, int64_t offset) {
    return reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(base) + offset);
  };
  for (Convolution& each : convolutions_) {
    const ConvolutionWeights::Place& place = weights.places[each.segment];
    FD_CHECK_GE(place.filter, 0) << "the weights are another plan's";
    FD_RETURN_IF_ERROR(each.convolution.Bind(
        at(arena, each.in), at(weights_on_gpu, place.filter),
        at(weights_on_gpu, place.bias), at(arena, each.out), workspace));
  }
  return absl::OkStatus();
}

absl::Status StageConvolutions::Execute(int launch,
                                        cudnnHandle_t handle) const {
  const auto found = std::find_if(
      convolutions_.begin(), convolutions_.end(),
      [&](const Convolution& each) { return each.launch == launch; });
  FD_CHECK(found != convolutions_.end())
      << "launch " << launch << " is no convolution";
  return found->convolution.Execute(handle);
}

}  // namespace fairdarts
