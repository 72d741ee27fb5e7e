#ifndef FAIRDARTS_RUNTIME_CUDA_STAGE_SCHEDULE_H_
#define FAIRDARTS_RUNTIME_CUDA_STAGE_SCHEDULE_H_

// The launches of a lowered network for one size of batch on one device: all
// of them data, known before the first run.

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "fairdarts/runtime/cuda/stage_plan.h"
#include "ops/cuda/stage.h"

namespace fairdarts {

// What of a device decides how a stage is shared among blocks.
struct StageDevice {
  int multiprocessors = 132;
  int64_t shared_bytes = 99 * 1024;  // that a block can have
  int64_t multiprocessor_shared_bytes = 228 * 1024;
};

struct StageLaunch {
  enum class Kind {
    kStage,        // the stage kernel over `tasks` tasks
    kConvolution,  // one task by the library of convolutions
  };

  Kind kind = Kind::kStage;
  int first_task = 0;
  int tasks = 0;
  int blocks = 0;            // kStage
  int64_t shared_bytes = 0;  // kStage
};

struct StageSchedule {
  int batch = 0;
  // As StageArguments wants them.
  std::vector<StageTask> tasks;
  std::vector<StageSegment> segments;
  std::vector<StageDirect> directs;
  std::vector<StageLaunch> launches;
  int64_t arena_elements = 0;
};

// `library_convolutions`: tasks for which IsPlainConvolution holds are launches
// of their own. A usage error for a batch below 1, or so large that a map has
// more pixels than 32 bits count or the arena more than kStageMaxElements.
absl::StatusOr<StageSchedule> ScheduleStages(const StagePlan& plan, int batch,
                                             const StageDevice& device,
                                             bool library_convolutions);

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_CUDA_STAGE_SCHEDULE_H_
