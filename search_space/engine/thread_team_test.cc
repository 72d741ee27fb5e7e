#include "search_space/engine/thread_team.h"

#include <vector>

#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::Each;

TEST(ThreadTeamTest, EachThreadWorksOnce) {
  for (const int threads : {1, 2, 5}) {
    const absl::StatusOr<std::unique_ptr<ThreadTeam>> team =
        ThreadTeam::Create(threads);
    ASSERT_THAT(team, IsOk());
    EXPECT_EQ((*team)->threads(), threads);
    std::vector<int> calls(threads, 0);
    for (int round = 0; round < 200; ++round) {
      (*team)->Run([&](int thread) { ++calls[thread]; });
    }
    EXPECT_THAT(calls, Each(200));
  }
}

// Each thread reads what its neighbour wrote in the step before.
TEST(ThreadTeamTest, ABarrierShowsWhatOthersWrote) {
  constexpr int kThreads = 3;
  constexpr int kSteps = 2000;
  const absl::StatusOr<std::unique_ptr<ThreadTeam>> team =
      ThreadTeam::Create(kThreads);
  ASSERT_THAT(team, IsOk());
  std::vector<std::vector<int>> values(2, std::vector<int>(kThreads, 0));
  std::vector<int> wrong(kThreads, 0);
  (*team)->Run([&](int thread) {
    for (int step = 1; step <= kSteps; ++step) {
      const std::vector<int>& before = values[(step + 1) % 2];
      if (before[(thread + 1) % kThreads] != step - 1) ++wrong[thread];
      values[step % 2][thread] = step;
      (*team)->Barrier();
    }
  });
  EXPECT_THAT(wrong, Each(0));
}

// What the last to arrive did, all see.
TEST(ThreadTeamTest, ABarrierFinishesOnceBeforeAnyGoesOn) {
  constexpr int kSteps = 2000;
  for (const int threads : {1, 3}) {
    const absl::StatusOr<std::unique_ptr<ThreadTeam>> team =
        ThreadTeam::Create(threads);
    ASSERT_THAT(team, IsOk());
    int finished = 0;
    std::vector<int> wrong(threads, 0);
    (*team)->Run([&](int thread) {
      for (int step = 1; step <= kSteps; ++step) {
        (*team)->Barrier([&] { ++finished; });
        if (finished != step) ++wrong[thread];
        (*team)->Barrier();
      }
    });
    EXPECT_THAT(wrong, Each(0));
    EXPECT_EQ(finished, kSteps);
  }
}

}  // namespace
}  // namespace fairdarts
