#include "fairdarts/runtime/memory_planner.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "fairdarts/base/random.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;

TEST(MemoryPlannerTest, BuffersOfOneTimeLieApartAndOthersShare) {
  // A chain: each buffer lives with its neighbours alone.
  const MemoryPlan plan =
      PlanMemory({{100, 0, 1}, {40, 1, 2}, {100, 2, 3}, {30, 3, 4}});
  EXPECT_THAT(plan.offsets, ElementsAre(0, 112, 0, 112));
  EXPECT_EQ(plan.floats, 152);
  EXPECT_EQ(PlanMemory({}).floats, 0);
}

TEST(MemoryPlannerTest, FillsAGap) {
  // Behind 3 floats of step 0 and before what lives throughout.
  const MemoryPlan plan =
      PlanMemory({{64, 0, 0}, {50, 0, 9}, {20, 1, 1}, {20, 1, 1}});
  EXPECT_THAT(plan.offsets, ElementsAre(0, 64, 0, 32));
}

TEST(MemoryPlannerTest, RandomLives) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    RandomStream stream("lives", {seed});
    const auto below = [&](int n) {
      return static_cast<int>(stream.Uniform() * n);
    };
    std::vector<BufferLife> buffers;
    int64_t sum = 0;
    for (int i = 0; i < 30; ++i) {
      const int first = below(40);
      buffers.push_back({1 + below(1000), first, first + below(10)});
      sum += buffers.back().floats + kArenaAlignment;
    }
    const MemoryPlan plan = PlanMemory(buffers);
    EXPECT_LE(plan.floats, sum);
    for (size_t i = 0; i < buffers.size(); ++i) {
      EXPECT_EQ(plan.offsets[i] % kArenaAlignment, 0);
      EXPECT_LE(plan.offsets[i] + buffers[i].floats, plan.floats);
      for (size_t j = 0; j < i; ++j) {
        const bool together = buffers[i].first <= buffers[j].last &&
                              buffers[j].first <= buffers[i].last;
        const bool overlap =
            plan.offsets[i] < plan.offsets[j] + buffers[j].floats &&
            plan.offsets[j] < plan.offsets[i] + buffers[i].floats;
        EXPECT_FALSE(together && overlap) << "seed " << seed;
      }
    }
    // No step needs more than there is, and some step needs a good part.
    int64_t most = 0;
    for (int step = 0; step < 50; ++step) {
      int64_t live = 0;
      for (const BufferLife& life : buffers) {
        if (life.first <= step && step <= life.last) live += life.floats;
      }
      most = std::max(most, live);
    }
    EXPECT_GE(plan.floats, most);
    EXPECT_LE(plan.floats, 2 * most + 30 * kArenaAlignment) << seed;
  }
}

}  // namespace
}  // namespace fairdarts
