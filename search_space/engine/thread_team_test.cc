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
      (*team)->Run((*team)->threads(), [&](int thread) { ++calls[thread]; });
    }
    EXPECT_THAT(calls, Each(200));
  }
}

TEST(ThreadTeamTest, OnlyThoseAskedForTakePart) {
  constexpr int kThreads = 4;
  const absl::StatusOr<std::unique_ptr<ThreadTeam>> team =
      ThreadTeam::Create(kThreads);
  ASSERT_THAT(team, IsOk());
  std::vector<int> calls(kThreads, 0);
  std::vector<int> expected(kThreads, 0);
  for (int round = 0; round < 400; ++round) {
    const int active = round * 7 % kThreads + 1;
    for (int i = 0; i < active; ++i) ++expected[i];
    (*team)->Run(active, [&](int thread) {
      (*team)->Barrier();
      ++calls[thread];
      (*team)->Barrier();
    });
  }
  EXPECT_EQ(calls, expected);
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
  (*team)->Run((*team)->threads(), [&](int thread) {
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
    (*team)->Run((*team)->threads(), [&](int thread) {
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
