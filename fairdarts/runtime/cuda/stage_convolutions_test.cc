#include "fairdarts/runtime/cuda/stage_convolutions.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "fairdarts/runtime/cuda/convolution_reference.h"
#include "fairdarts/runtime/cuda/cudnn_resources.h"
#include "fairdarts/runtime/cuda/fake_cudnn.h"
#include "fairdarts/runtime/testing.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

constexpr int kBatch = 3;
constexpr int64_t kWorkspace = 1 << 20;

StagePlan PlanOf(NetworkConfig::Kind kind, Precision precision) {
  NetworkConfig config;
  config.kind = kind;
  config.init_channels = 12;
  config.layers = 3;
  config.image_size = kind == NetworkConfig::Kind::kCifar ? 13 : 200;
  absl::StatusOr<StagePlan> plan = LowerPlan(
      FilledModel(DescriptionOf("Genotype(normal=[('sep_conv_3x3', 2, 0), "
                                "('sep_conv_3x3', 2, 1)], normal_concat=[2], "
                                "reduce=[('skip_connect', 2, 0), "
                                "('skip_connect', 2, 1)], reduce_concat=[2])",
                                config),
                  3),
      precision);
  EXPECT_THAT(plan, IsOk());
  return *std::move(plan);
}

StageSchedule ScheduleOf(const StagePlan& plan) {
  absl::StatusOr<StageSchedule> schedule =
      ScheduleStages(plan, kBatch, {}, /*library_convolutions=*/true);
  EXPECT_THAT(schedule, IsOk());
  return *std::move(schedule);
}

// Storage whose first byte is at a multiple of 256.
template <typename T>
std::vector<T> Room(int64_t elements) {
  return std::vector<T>(elements + 256 / sizeof(T));
}
template <typename T>
T* Aligned(std::vector<T>* room) {
  const uintptr_t first = reinterpret_cast<uintptr_t>(room->data());
  return room->data() + (256 - first % 256) % 256 / sizeof(T);
}

template <typename T>
void CheckEveryLaunch(NetworkConfig::Kind kind, Precision precision,
                      int convolutions) {
  const StagePlan plan = PlanOf(kind, precision);
  const StageSchedule schedule = ScheduleOf(plan);
  FakeCudnn fake;
  absl::StatusOr<CudnnHandle> handle = CudnnHandle::Create(fake.cudnn());
  ASSERT_THAT(handle, IsOk());
  CudnnTarget target;
  target.handle = handle->get();
  absl::StatusOr<StageConvolutions> made = StageConvolutions::Create(
      fake.cudnn(), target, plan, schedule, kWorkspace);
  ASSERT_THAT(made, IsOk());

  std::vector<T> arena_room = Room<T>(schedule.arena_elements);
  T* const arena = Aligned(&arena_room);
  std::mt19937 random(7);
  std::uniform_real_distribution<float> some(-1, 1);
  for (int64_t i = 0; i < schedule.arena_elements; ++i) {
    arena[i] = FromFloat<T>(some(random));
  }
  const ConvolutionWeights weights = UnpackConvolutions(plan);
  std::vector<char> weight_room =
      Room<char>(static_cast<int64_t>(weights.bytes.size()));
  char* const bytes = Aligned(&weight_room);
  std::copy(weights.bytes.begin(), weights.bytes.end(), bytes);
  ASSERT_THAT(made->Bind(weights, arena, bytes, nullptr), IsOk());

  int found = 0;
  for (size_t i = 0; i < schedule.launches.size(); ++i) {
    const StageLaunch& launch = schedule.launches[i];
    if (launch.kind != StageLaunch::Kind::kConvolution) continue;
    SCOPED_TRACE(i);
    ++found;
    const StageTask& task = schedule.tasks[launch.first_task];
    const StageSegment& segment = schedule.segments[task.first_segment];
    const std::vector<T> before(arena, arena + schedule.arena_elements);
    ASSERT_THAT(made->Execute(static_cast<int>(i), handle->get()), IsOk());
    std::vector<bool> written(before.size());
    int wrong = 0;
    for (int n = 0; n < kBatch; ++n) {
      for (int y = 0; y < task.out.height; ++y) {
        for (int x = 0; x < task.out.width; ++x) {
          for (int k = 0; k < task.out.channels; ++k) {
            const int64_t element =
                task.out.offset +
                ((int64_t{n} * task.out.height + y) * task.out.width + x) *
                    task.out.pitch +
                k;
            const ReferenceElement expected = ReferenceConvolution(
                plan, schedule, task, before.data(), n, y, x, k);
            written[element] = true;
            wrong += !(std::abs(ToFloat(arena[element]) - expected.value) <=
                       ConvolutionTolerance<T>(segment, expected));
          }
        }
      }
    }
    for (size_t e = 0; e < before.size(); ++e) {
      wrong += !written[e] && ToFloat(arena[e]) != ToFloat(before[e]);
    }
    EXPECT_EQ(wrong, 0);
  }
  EXPECT_EQ(found, convolutions);
}

TEST(StageConvolutionsTest, EachIsTheTaskOfItsLaunch) {
  using Kind = NetworkConfig::Kind;
  CheckEveryLaunch<float>(Kind::kCifar, Precision::kFloat32, 1);
  CheckEveryLaunch<Half>(Kind::kCifar, Precision::kFloat16, 1);
  CheckEveryLaunch<BFloat16>(Kind::kCifar, Precision::kBFloat16, 1);
  CheckEveryLaunch<Half>(Kind::kImageNet, Precision::kFloat16, 3);
}

// The stage kernel adds biases as floats.
TEST(StageConvolutionsTest, RefusesABiasThatWouldBeInfinite) {
  struct Case {
    Precision precision;
    float fits;  // rounds to the largest number
    float does_not;
  };
  for (const Case& each :
       {Case{Precision::kFloat16, 65519.0f, 65520.0f},
        Case{Precision::kBFloat16, 0x1.fefffep127f, 0x1.ffp127f}}) {
    StagePlan plan = PlanOf(NetworkConfig::Kind::kCifar, each.precision);
    FakeCudnn fake;
    absl::StatusOr<CudnnHandle> handle = CudnnHandle::Create(fake.cudnn());
    ASSERT_THAT(handle, IsOk());
    CudnnTarget target;
    target.handle = handle->get();
    const StageSchedule schedule = ScheduleOf(plan);
    const auto launch =
        std::find_if(schedule.launches.begin(), schedule.launches.end(),
                     [](const StageLaunch& each) {
                       return each.kind == StageLaunch::Kind::kConvolution;
                     });
    ASSERT_NE(launch, schedule.launches.end());
    const StageTask& task = schedule.tasks[launch->first_task];
    for (const float sign : {1.0f, -1.0f}) {
      float& bias = plan.biases[task.bias + 11];
      bias = sign * each.fits;
      const auto create = [&] {
        return StageConvolutions::Create(fake.cudnn(), target, plan, schedule,
                                         kWorkspace);
      };
      EXPECT_THAT(create(), IsOk());
      bias = sign * each.does_not;
      EXPECT_THAT(create(), StatusIs(absl::StatusCode::kUnimplemented,
                                     "bias in the precision of its maps"));
    }
  }
}

TEST(StageConvolutionsTest, TheWorkspaceIsRoomForTheLargest) {
  const StagePlan plan =
      PlanOf(NetworkConfig::Kind::kImageNet, Precision::kFloat32);
  FakeCudnn fake;
  absl::StatusOr<CudnnHandle> handle = CudnnHandle::Create(fake.cudnn());
  ASSERT_THAT(handle, IsOk());
  CudnnTarget target;
  target.handle = handle->get();
  const auto create = [&] {
    return StageConvolutions::Create(fake.cudnn(), target, plan,
                                     ScheduleOf(plan), kWorkspace);
  };
  fake.engines = {{CUDNN_HEUR_MODE_A, {{{}, kWorkspace}}}};
  absl::StatusOr<StageConvolutions> made = create();
  ASSERT_THAT(made, IsOk());
  EXPECT_EQ(made->workspace_bytes(), kWorkspace);
  fake.engines = {{CUDNN_HEUR_MODE_A, {{{}, kWorkspace + 1}}}};
  EXPECT_THAT(create(), StatusIs(absl::StatusCode::kUnimplemented,
                                 "a convolution of 3x3 from 8 to 8 channels"));
}

}  // namespace
}  // namespace fairdarts
