#include "fairdarts/runtime/thread_pool.h"

#include <vector>

#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::Each;

TEST(ThreadPoolTest, EachThreadWorksOnce) {
  for (const int threads : {1, 2, 5}) {
    const absl::StatusOr<std::unique_ptr<ThreadPool>> pool =
        ThreadPool::Create(threads);
    ASSERT_THAT(pool, IsOk());
    EXPECT_EQ((*pool)->threads(), threads);
    std::vector<int> calls(threads, 0);
    for (int round = 0; round < 200; ++round) {
      (*pool)->Run([&](int thread) { ++calls[thread]; });
    }
    EXPECT_THAT(calls, Each(200));
  }
}

// Each thread reads what its neighbour wrote in the step before.
TEST(ThreadPoolTest, ABarrierShowsWhatOthersWrote) {
  constexpr int kThreads = 3;
  constexpr int kSteps = 2000;
  const absl::StatusOr<std::unique_ptr<ThreadPool>> pool =
      ThreadPool::Create(kThreads);
  ASSERT_THAT(pool, IsOk());
  std::vector<std::vector<int>> values(2, std::vector<int>(kThreads, 0));
  std::vector<int> wrong(kThreads, 0);
  (*pool)->Run([&](int thread) {
    for (int step = 1; step <= kSteps; ++step) {
      const std::vector<int>& before = values[(step + 1) % 2];
      if (before[(thread + 1) % kThreads] != step - 1) ++wrong[thread];
      values[step % 2][thread] = step;
      (*pool)->Barrier();
    }
  });
  EXPECT_THAT(wrong, Each(0));
}

}  // namespace
}  // namespace fairdarts
