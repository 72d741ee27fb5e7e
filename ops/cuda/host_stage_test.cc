#include "ops/cuda/host_stage.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "ops/cuda/element.h"
#include "ops/cuda/stage.h"

namespace fairdarts {
namespace {

// One task, a 1x1 convolution of eight channels to eight, as a launch.
struct Launch {
  Launch() {
    const StageMap map = {0, 8, 8, 2, 3};
    task.out = map;
    task.out.offset = 6 * 8;
    task.images = 1;
    task.segments = 1;
    task.directs = 1;
    task.bias = 0;
    task.column_blocks = 1;
    task.block_tiles = 1;
    task.warp_rows = 1;
    task.chunk = 16;
    segment.in = map;
    segment.kind = StageSegment::kDense;
    segment.kernel_height = segment.kernel_width = 1;
    segment.stride_height = segment.stride_width = 1;
    segment.dilation = 1;
    segment.depth = 16;
    direct.in = map;
    direct.kind = StageDirect::kCopy;
    direct.stride = 1;
    direct.scale = 1;
    shared_bytes = StageSharedBytes(task, 2);
    for (int i = 0; i < 6 * 8; ++i) arena[i] = FromFloat<Half>(i);
    // Channel c goes to channel 7 - c.
    for (int c = 0; c < 8; ++c) weights[c * 16 + 7 - c] = FromFloat<Half>(1);
    for (int c = 0; c < 8; ++c) biases[c] = 100.0f * c;
  }

  void Run() {
    StageArguments arguments;
    arguments.tasks = &task;
    arguments.task_count = 1;
    arguments.segments = &segment;
    arguments.directs = &direct;
    arguments.weights = weights;
    arguments.biases = biases;
    arguments.arena = arena + arena_shift;
    arguments.image = nullptr;
    arguments.logits = nullptr;
    RunStageOnHost(arguments, Precision::kFloat16, blocks, shared_bytes);
  }

  StageTask task = {};
  StageSegment segment = {};
  StageDirect direct = {};
  int blocks = 1;
  int64_t shared_bytes = 0;
  int arena_shift = 0;
  alignas(16) Half arena[2 * 6 * 8 + 8] = {};
  alignas(16) Half weights[256] = {};
  alignas(16) float biases[8] = {};
};

TEST(HostStageTest, RunsALaunch) {
  Launch launch;
  launch.Run();
  for (int p = 0; p < 6; ++p) {
    for (int c = 0; c < 8; ++c) {
      EXPECT_EQ(ToFloat(launch.arena[(6 + p) * 8 + c]),
                8 * p + c + 8 * p + 7 - c + 100 * c);
    }
  }
}

TEST(HostStageDeathTest, RefusesWhatIsNotAsStageSays) {
  using Change = std::function<void(Launch&)>;
  const std::vector<Change> changes = {
      [](Launch& l) { --l.shared_bytes; },
      [](Launch& l) { ++l.blocks; },
      [](Launch& l) { l.arena_shift = 1; },
      [](Launch& l) { l.task.first_block = 1; },
      [](Launch& l) { l.task.images = 0; },
      [](Launch& l) { l.task.warp_rows = 3; },
      [](Launch& l) { l.task.block_tiles = 25; },
      [](Launch& l) { l.task.column_blocks = 2; },
      [](Launch& l) { l.task.chunk = 24; },
      [](Launch& l) { l.task.chunk = 144; },
      [](Launch& l) { l.task.bias = 4; },
      [](Launch& l) { l.task.logits = 3; },
      [](Launch& l) { l.task.out.offset += 4; },
      [](Launch& l) { l.task.out.pitch = 12; },
      [](Launch& l) { l.task.out.channels = 16; },
      [](Launch& l) { l.segment.in.offset = -8; },
      [](Launch& l) { l.segment.kernel_width = 0; },
      [](Launch& l) { l.segment.stride_height = 0; },
      [](Launch& l) { l.segment.dilation = 0; },
      [](Launch& l) { l.segment.pad_top = -2; },
      [](Launch& l) { l.segment.matrix = 128; },
      [](Launch& l) { l.segment.depth = 8; },
      [](Launch& l) {
        l.segment.kind = StageSegment::kDepthwise;
        l.segment.depthwise = 4;
      },
      [](Launch& l) { l.direct.in.height = 3; },
      [](Launch& l) {
        l.direct.kind = StageDirect::kMaxPool;
        l.direct.stride = 2;
      },
      [](Launch& l) {
        l.direct.kind = StageDirect::kMapAverage;
        l.direct.window_height = l.direct.window_width = 1;
      },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    Launch launch;
    changes[i](launch);
    EXPECT_DEATH(launch.Run(), "ops/cuda/host_stage.cc") << "change " << i;
  }
}

}  // namespace
}  // namespace fairdarts
