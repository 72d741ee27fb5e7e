#include "fairdarts/runtime/cuda/stage_schedule.h"

#include <algorithm>
#include <vector>

#include "fairdarts/runtime/testing.h"
#include "genotypes/catalog.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

StagePlan PlanOf(const Genotype& genotype, NetworkConfig::Kind kind,
                 Precision precision) {
  NetworkConfig config;
  config.kind = kind;
  config.init_channels = 12;
  config.layers = 4;
  config.image_size = kind == NetworkConfig::Kind::kCifar ? 31 : 200;
  const ModelDescription description = DescriptionOf(genotype, config);
  absl::StatusOr<StagePlan> plan =
      LowerPlan(FilledModel(description, 3), precision);
  EXPECT_THAT(plan, IsOk());
  return *std::move(plan);
}

StagePlan SomePlan() {
  return PlanOf(Catalog().front().genotype, NetworkConfig::Kind::kCifar,
                Precision::kFloat16);
}

StageSchedule Scheduled(const StagePlan& plan, int batch,
                        bool library_convolutions = false,
                        const StageDevice& device = {}) {
  absl::StatusOr<StageSchedule> schedule =
      ScheduleStages(plan, batch, device, library_convolutions);
  EXPECT_THAT(schedule, IsOk());
  return *std::move(schedule);
}

// What a block of a launch makes lies in no other block's part, and all of
// them make everything; what the kernel promises to hold holds.
void CheckLaunch(const StagePlan& plan, const StageSchedule& schedule,
                 const StageLaunch& launch, int64_t most_shared) {
  int next_block = 0;
  for (int t = 0; t < launch.tasks; ++t) {
    const StageTask& task = schedule.tasks[launch.first_task + t];
    EXPECT_EQ(task.images, schedule.batch);
    EXPECT_EQ(task.first_block, next_block);
    ASSERT_TRUE(task.warp_rows == 1 || task.warp_rows == 2 ||
                task.warp_rows == 4);
    ASSERT_GE(task.block_tiles, 1);
    EXPECT_LE(task.block_tiles,
              kStageFragments * (kStageWarps / task.warp_rows));
    EXPECT_GE(task.column_blocks * task.block_tiles, StageColumnTiles(task));
    EXPECT_LT((task.column_blocks - 1) * task.block_tiles,
              StageColumnTiles(task));
    EXPECT_EQ(task.chunk % kStageTile, 0);
    EXPECT_GE(task.chunk, kStageTile);
    EXPECT_LE(task.chunk, kStageMaxChunk);
    const int64_t shared = StageSharedBytes(task, ElementBytes(plan.precision));
    EXPECT_LE(shared, launch.shared_bytes);
    EXPECT_LE(shared, most_shared);
    const int64_t pixels =
        int64_t{task.images} * task.out.height * task.out.width;
    const int64_t rows = (pixels + StageRows(task) - 1) / StageRows(task);
    next_block += static_cast<int>(rows) * task.column_blocks;
  }
  EXPECT_EQ(launch.blocks, next_block);
}

TEST(StageScheduleTest, BlocksShareEveryTask) {
  for (const CatalogEntry& entry : Catalog()) {
    for (const Precision precision :
         {Precision::kFloat32, Precision::kFloat16}) {
      for (const NetworkConfig::Kind kind :
           {NetworkConfig::Kind::kCifar, NetworkConfig::Kind::kImageNet}) {
        SCOPED_TRACE(entry.key());
        const StagePlan plan = PlanOf(entry.genotype, kind, precision);
        for (const int batch : {1, 7, 256}) {
          const StageSchedule schedule = Scheduled(plan, batch);
          EXPECT_EQ(schedule.launches.size(), plan.stages.size());
          int task = 0;
          for (const StageLaunch& launch : schedule.launches) {
            EXPECT_EQ(launch.kind, StageLaunch::Kind::kStage);
            EXPECT_EQ(launch.first_task, task);
            task += launch.tasks;
            CheckLaunch(plan, schedule, launch, StageDevice().shared_bytes);
          }
          EXPECT_EQ(task, static_cast<int>(plan.tasks.size()));
        }
      }
    }
  }
}

TEST(StageScheduleTest, MapsOfABatchLieApart) {
  const StagePlan plan = SomePlan();
  const StageSchedule schedule = Scheduled(plan, 5);
  EXPECT_EQ(schedule.arena_elements, 5 * plan.arena_elements);
  for (size_t i = 0; i < plan.segments.size(); ++i) {
    EXPECT_EQ(schedule.segments[i].in.offset,
              5 * plan.segments[i].in.offset + plan.channels.segments[i]);
    EXPECT_EQ(schedule.segments[i].in.offset % kStageVector, 0);
  }
}

TEST(StageScheduleTest, SmallWorkIsCutFiner) {
  const StagePlan plan = SomePlan();
  const auto rows = [&](int batch, int multiprocessors) {
    StageDevice device;
    device.multiprocessors = multiprocessors;
    const StageSchedule schedule = Scheduled(plan, batch, false, device);
    int most = 0;
    for (const StageTask& task : schedule.tasks) {
      most = std::max(most, task.warp_rows);
    }
    return most;
  };
  EXPECT_EQ(rows(1, 132), 1);
  EXPECT_EQ(rows(256, 132), 4);
  EXPECT_EQ(rows(1, 1), 4);
}

TEST(StageScheduleTest, WhatTakesLongBeginsFirst) {
  for (const CatalogEntry& entry : Catalog()) {
    const StagePlan plan = PlanOf(entry.genotype, NetworkConfig::Kind::kCifar,
                                  Precision::kFloat16);
    const StageSchedule schedule = Scheduled(plan, 1);
    // What a block reads to make its values, and what it multiplies.
    const auto work = [&](const StageTask& task) {
      int64_t sum = task.directs;
      for (int i = 0; i < task.segments; ++i) {
        const StageSegment& segment = plan.segments[task.first_segment + i];
        const bool depthwise = segment.kind == StageSegment::kDepthwise;
        sum += segment.depth *
               (task.block_tiles +
                (depthwise ? segment.kernel_height * segment.kernel_width : 1));
      }
      return sum * StageRows(task);
    };
    for (const StageLaunch& launch : schedule.launches) {
      for (int t = 1; t < launch.tasks; ++t) {
        const StageTask* const task = &schedule.tasks[launch.first_task + t];
        EXPECT_GE(work(task[-1]), work(task[0]));
      }
    }
  }
}

TEST(StageScheduleTest, TheLibraryTakesPlainConvolutionsOutOfTheirStages) {
  const StagePlan plan = SomePlan();
  const StageSchedule schedule = Scheduled(plan, 3, true);
  int plain = 0;
  for (const StageLaunch& launch : schedule.launches) {
    const StageTask& task = schedule.tasks[launch.first_task];
    if (launch.kind == StageLaunch::Kind::kConvolution) {
      ++plain;
      EXPECT_TRUE(IsPlainConvolution(plan, task));
      EXPECT_EQ(launch.tasks, 1);
      continue;
    }
    for (int t = 0; t < launch.tasks; ++t) {
      EXPECT_FALSE(IsPlainConvolution(plan, (&task)[t]));
    }
    CheckLaunch(plan, schedule, launch, StageDevice().shared_bytes);
  }
  EXPECT_GE(plain, 1);
}

TEST(StageScheduleTest, RefusesBatches) {
  const StagePlan plan = SomePlan();
  EXPECT_THAT(ScheduleStages(plan, 0, {}, false),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "batch: is 0; 1 is the least"));
  // 31 x 31 pixels each.
  EXPECT_THAT(
      ScheduleStages(plan, 1 << 22, {}, false),
      StatusIs(absl::StatusCode::kInvalidArgument, "batch: is 4194304; "));
}

TEST(StageScheduleTest, RefusesArenasBeyondWhatPlacesCount) {
  StagePlan plan = SomePlan();
  plan.arena_elements = kStageMaxElements / 2;
  EXPECT_THAT(ScheduleStages(plan, 2, {}, false), IsOk());
  EXPECT_THAT(ScheduleStages(plan, 3, {}, false),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "batch: is 3; the network then has 51539607552 numbers, "
                       "and may have 34359738368"));
}

TEST(StageScheduleTest, SeveralBlocksHaveRoomOnAMultiprocessor) {
  // A100, H100 and B200, GeForce.
  for (const int64_t kilobytes : {164, 228, 100}) {
    StageDevice device;
    device.multiprocessor_shared_bytes = kilobytes * 1024;
    for (const Precision precision :
         {Precision::kFloat32, Precision::kFloat16}) {
      const StagePlan plan = PlanOf(Catalog().front().genotype,
                                    NetworkConfig::Kind::kCifar, precision);
      const StageSchedule schedule = Scheduled(plan, 64, false, device);
      for (const StageTask& task : schedule.tasks) {
        const int64_t bytes = StageSharedBytes(task, ElementBytes(precision));
        // With a kilobyte of the system's and what is in the kernel; chunks
        // cannot be smaller than a tile.
        EXPECT_TRUE(task.chunk == kStageTile ||
                    kStageBlocksAtATime *
                            (bytes + 1024 + kStageFixedSharedBytes) <=
                        kilobytes * 1024)
            << kilobytes << " " << bytes;
      }
    }
  }
}

}  // namespace
}  // namespace fairdarts
