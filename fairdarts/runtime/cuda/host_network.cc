#include "fairdarts/runtime/cuda/host_network.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "fairdarts/base/check.h"
#include "ops/cuda/element.h"
#include "ops/cuda/host_stage.h"
#include "ops/cuda/stage.h"

namespace fairdarts {
namespace {

// As the driver aligns what it allocates.
constexpr size_t kAlignment = 256;

using Memory = std::unique_ptr<char, void (*)(void*)>;

// Holds NaNs, whatever the type.
Memory Allocate(size_t bytes) {
  const size_t size = (bytes / kAlignment + 1) * kAlignment;
  Memory memory(static_cast<char*>(std::aligned_alloc(kAlignment, size)),
                &std::free);
  std::memset(memory.get(), 0xff, size);
  return memory;
}

Memory Copy(const void* from, size_t bytes) {
  Memory memory = Allocate(bytes);
  std::memcpy(memory.get(), from, bytes);
  return memory;
}

}  // namespace

std::vector<float> RunOnHost(const StagePlan& plan,
                             const StageSchedule& schedule,
                             absl::Span<const float> images) {
  const Memory weights = Copy(plan.weights.data(), plan.weights.size());
  const Memory biases =
      Copy(plan.biases.data(), plan.biases.size() * sizeof(float));
  const Memory arena =
      Allocate(schedule.arena_elements * ElementBytes(plan.precision));
  std::vector<float> logits(int64_t{schedule.batch} * plan.classes);
  for (const StageLaunch& launch : schedule.launches) {
    FD_CHECK(launch.kind == StageLaunch::Kind::kStage);
    StageArguments arguments = {};
    arguments.tasks = schedule.tasks.data() + launch.first_task;
    arguments.task_count = launch.tasks;
    arguments.segments = schedule.segments.data();
    arguments.directs = schedule.directs.data();
    arguments.weights = weights.get();
    arguments.biases = reinterpret_cast<const float*>(biases.get());
    arguments.arena = arena.get();
    arguments.image = images.data();
    arguments.logits = logits.data();
    RunStageOnHost(arguments, plan.precision, launch.blocks,
                   launch.shared_bytes);
  }
  return logits;
}

}  // namespace fairdarts
