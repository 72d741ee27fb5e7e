#include "fairdarts/runtime/cuda/stage_schedule.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

int CeilDiv(int64_t value, int64_t divisor) {
  return static_cast<int>((value + divisor - 1) / divisor);
}

// How blocks share a task.
struct Tiling {
  int warp_rows;
  int block_tiles;
};

int64_t Pixels(const StageTask& task) {
  return int64_t{task.images} * task.out.height * task.out.width;
}

int64_t Blocks(const StageTask& task, const Tiling& tiling) {
  return int64_t{CeilDiv(Pixels(task), kStageTile * tiling.warp_rows)} *
         CeilDiv(StageColumnTiles(task), tiling.block_tiles);
}

// From the coarsest to the finest: each gives as many blocks as the one before
// it or more. Blocks of the same pixels each make the values that are
// multiplied, so columns are cut last.
std::vector<Tiling> Tilings(const StageTask& task) {
  std::vector<Tiling> tilings;
  const int tiles = StageColumnTiles(task);
  for (const int warp_rows : {4, 2, 1}) {
    const int most = kStageWarps / warp_rows * kStageFragments;
    tilings.push_back({warp_rows, CeilDiv(tiles, CeilDiv(tiles, most))});
  }
  // One row of warps at the end: they share columns, down to one tile each.
  for (int parts = 2; tiles > kStageWarps * (parts - 1); ++parts) {
    const int block_tiles = CeilDiv(tiles, parts);
    if (block_tiles < tilings.back().block_tiles) {
      tilings.push_back({1, block_tiles});
    }
  }
  return tilings;
}

// The most depth between two barriers that fits, no more than a segment has;
// the least there is where none does.
int ChunkOf(const StageTask& task, const std::vector<StageSegment>& segments,
            int element_bytes, int64_t shared_bytes) {
  int depth = kStageTile;
  for (int i = 0; i < task.segments; ++i) {
    depth = std::max(depth, segments[task.first_segment + i].depth);
  }
  StageTask trial = task;
  trial.chunk = std::min(depth, kStageMaxChunk);
  while (trial.chunk > kStageTile &&
         StageSharedBytes(trial, element_bytes) > shared_bytes) {
    trial.chunk -= kStageTile;
  }
  // Chunks of one size: 80 is 48 and 32 rather than 64 and 16.
  const int chunks = CeilDiv(depth, trial.chunk);
  return CeilDiv(CeilDiv(depth, chunks), kStageTile) * kStageTile;
}

// Of each block's shared memory, what the system takes (CUDA C++ Programming
// Guide, compute capabilities 8.0 to 12.x).
constexpr int64_t kReservedSharedBytes = 1024;

// Shared memory of a block such that as many stand on a multiprocessor as have
// registers there.
int64_t SharedForSeveral(const StageDevice& device) {
  return std::min(device.shared_bytes - kStageFixedSharedBytes,
                  device.multiprocessor_shared_bytes / kStageBlocksAtATime -
                      kReservedSharedBytes - kStageFixedSharedBytes);
}

// Blocks for each multiprocessor below which a stage is cut finer: by
// reasoning, not by timing.
constexpr int kBlocksToKeepBusy = 2;

// Pixels of a task and blocks of a launch are counted in 32 bits.
constexpr int64_t kMost = std::numeric_limits<int32_t>::max() - kStageThreads;

class Scheduler {
 public:
  Scheduler(const StagePlan& plan, int batch, const StageDevice& device,
            bool library_convolutions)
      : plan_(plan),
        device_(device),
        library_convolutions_(library_convolutions) {
    schedule_.batch = batch;
    schedule_.segments = plan.segments;
    schedule_.directs = plan.directs;
    schedule_.arena_elements = plan.arena_elements * batch;
  }

  absl::StatusOr<StageSchedule> Run() {
    if (schedule_.batch < 1) {
      return UsageError(
          absl::StrCat("batch: is ", schedule_.batch, "; 1 is the least"));
    }
    if (schedule_.arena_elements > kStageMaxElements) {
      return TooLarge("the network", schedule_.arena_elements, "numbers",
                      kStageMaxElements);
    }
    schedule_.tasks = plan_.tasks;
    for (size_t i = 0; i < schedule_.tasks.size(); ++i) {
      schedule_.tasks[i].images = schedule_.batch;
      Place(plan_.channels.tasks[i], &schedule_.tasks[i].out);
    }
    for (size_t i = 0; i < schedule_.segments.size(); ++i) {
      Place(plan_.channels.segments[i], &schedule_.segments[i].in);
    }
    for (size_t i = 0; i < schedule_.directs.size(); ++i) {
      Place(plan_.channels.directs[i], &schedule_.directs[i].in);
    }
    for (const StagePlan::Stage& stage : plan_.stages) {
      FD_RETURN_IF_ERROR(AddStage(stage));
    }
    return std::move(schedule_);
  }

 private:
  // A buffer of a batch has room for as many of one image.
  void Place(int channel, StageMap* map) const {
    map->offset = map->offset * schedule_.batch + channel;
  }

  absl::Status AddStage(const StagePlan::Stage& stage) {
    // Those that the stage kernel does stand together, in front.
    StageTask* const begin = schedule_.tasks.data() + stage.first_task;
    StageTask* const end = begin + stage.tasks;
    StageTask* const plain =
        std::stable_partition(begin, end, [&](const StageTask& task) {
          return !library_convolutions_ || !IsPlainConvolution(plan_, task);
        });
    if (plain != begin) FD_RETURN_IF_ERROR(AddKernel(begin, plain));
    for (const StageTask* task = plain; task != end; ++task) {
      StageLaunch launch;
      launch.kind = StageLaunch::Kind::kConvolution;
      launch.first_task = IndexOf(task);
      launch.tasks = 1;
      schedule_.launches.push_back(launch);
    }
    return absl::OkStatus();
  }

  absl::Status AddKernel(StageTask* begin, StageTask* end) {
    StageLaunch launch;
    launch.first_task = IndexOf(begin);
    launch.tasks = static_cast<int>(end - begin);
    for (const StageTask* task = begin; task != end; ++task) {
      if (Pixels(*task) > kMost) {
        return TooLarge("a stage", Pixels(*task), "pixels", kMost);
      }
    }
    const size_t level = LevelOf(begin, end);
    const int element_bytes = ElementBytes(plan_.precision);
    const int64_t shared_bytes = SharedForSeveral(device_);
    for (StageTask* task = begin; task != end; ++task) {
      const Tiling tiling = TilingAt(*task, level);
      task->warp_rows = tiling.warp_rows;
      task->block_tiles = tiling.block_tiles;
      task->column_blocks =
          CeilDiv(StageColumnTiles(*task), tiling.block_tiles);
      task->chunk =
          ChunkOf(*task, schedule_.segments, element_bytes, shared_bytes);
    }
    // A device starts blocks in their order: what takes long begins first.
    std::stable_sort(begin, end, [&](const StageTask& a, const StageTask& b) {
      return WorkOfBlock(a) > WorkOfBlock(b);
    });
    int64_t blocks = 0;
    for (StageTask* task = begin; task != end; ++task) {
      task->first_block = static_cast<int>(blocks);
      blocks += Blocks(*task, {task->warp_rows, task->block_tiles});
      if (blocks > kMost) return TooLarge("a stage", blocks, "blocks", kMost);
      launch.shared_bytes =
          std::max(launch.shared_bytes, StageSharedBytes(*task, element_bytes));
    }
    FD_CHECK_LE(launch.shared_bytes + kStageFixedSharedBytes,
                device_.shared_bytes);
    launch.blocks = static_cast<int>(blocks);
    schedule_.launches.push_back(launch);
    return absl::OkStatus();
  }

  // How long a block of a task takes beside another's, roughly: what it makes
  // by each unit of depth, and what it multiplies.
  int64_t WorkOfBlock(const StageTask& task) const {
    int64_t work = 0;
    for (int i = 0; i < task.segments; ++i) {
      const StageSegment& segment = schedule_.segments[task.first_segment + i];
      const int taps = segment.kind == StageSegment::kDepthwise
                           ? segment.kernel_height * segment.kernel_width
                           : 1;
      work += int64_t{segment.depth} * (taps + task.block_tiles);
    }
    return StageRows(task) * (work + task.directs);
  }

  // The coarsest tiling of a stage that keeps the device busy, or the finest.
  size_t LevelOf(const StageTask* begin, const StageTask* end) const {
    size_t levels = 0;
    for (const StageTask* task = begin; task != end; ++task) {
      levels = std::max(levels, Tilings(*task).size());
    }
    for (size_t level = 0; level + 1 < levels; ++level) {
      int64_t blocks = 0;
      for (const StageTask* task = begin; task != end; ++task) {
        blocks += Blocks(*task, TilingAt(*task, level));
      }
      if (blocks >= int64_t{kBlocksToKeepBusy} * device_.multiprocessors) {
        return level;
      }
    }
    return levels - 1;
  }

  static Tiling TilingAt(const StageTask& task, size_t level) {
    const std::vector<Tiling> tilings = Tilings(task);
    return tilings[std::min(level, tilings.size() - 1)];
  }

  absl::Status TooLarge(const char* whose, int64_t count, const char* what,
                        int64_t most) const {
    return UsageError(absl::StrCat("batch: is ", schedule_.batch, "; ", whose,
                                   " then has ", count, " ", what,
                                   ", and may have ", most));
  }

  int IndexOf(const StageTask* task) const {
    return static_cast<int>(task - schedule_.tasks.data());
  }

  const StagePlan& plan_;
  const StageDevice device_;
  const bool library_convolutions_;
  StageSchedule schedule_;
};

}  // namespace

absl::StatusOr<StageSchedule> ScheduleStages(const StagePlan& plan, int batch,
                                             const StageDevice& device,
                                             bool library_convolutions) {
  return Scheduler(plan, batch, device, library_convolutions).Run();
}

}  // namespace fairdarts
