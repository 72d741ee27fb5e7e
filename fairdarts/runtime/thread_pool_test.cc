#include "fairdarts/runtime/thread_pool.h"

#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::Each;

TEST(ThreadPoolTest, EachTaskRunsOnce) {
  for (const int threads : {1, 2, 5}) {
    const absl::StatusOr<std::unique_ptr<ThreadPool>> pool =
        ThreadPool::Create(threads);
    ASSERT_THAT(pool, IsOk());
    EXPECT_EQ((*pool)->threads(), threads);
    for (const int tasks : {0, 1, 2, 3, 5, 13}) {
      std::vector<int> calls(tasks, 0);
      for (int round = 0; round < 200; ++round) {
        (*pool)->Run(tasks, [&](int task) { ++calls[task]; });
      }
      EXPECT_THAT(calls, Each(200)) << threads << " " << tasks;
    }
  }
}

// Each task reads what its neighbour wrote in the call before.
TEST(ThreadPoolTest, ACallShowsWhatTheLastOneWrote) {
  constexpr int kThreads = 3;
  constexpr int kSteps = 2000;
  const absl::StatusOr<std::unique_ptr<ThreadPool>> pool =
      ThreadPool::Create(kThreads);
  ASSERT_THAT(pool, IsOk());
  std::vector<std::vector<int>> values(2, std::vector<int>(kThreads, 0));
  std::vector<int> wrong(kThreads, 0);
  for (int step = 1; step <= kSteps; ++step) {
    (*pool)->Run(kThreads, [&](int task) {
      const std::vector<int>& before = values[(step + 1) % 2];
      if (before[(task + 1) % kThreads] != step - 1) ++wrong[task];
      values[step % 2][task] = step;
    });
  }
  EXPECT_THAT(wrong, Each(0));
}

// Tasks that are only done when all have begun: with fewer threads at work they
// would wait for ever. The pauses let everybody fall asleep in between.
TEST(ThreadPoolTest, AllThreadsWorkAtTheSameTimeAlsoOutOfSleep) {
  constexpr int kThreads = 3;
  const absl::StatusOr<std::unique_ptr<ThreadPool>> pool =
      ThreadPool::Create(kThreads);
  ASSERT_THAT(pool, IsOk());
  for (int round = 0; round < 30; ++round) {
    std::atomic<int> begun{0};
    (*pool)->Run(kThreads, [&](int) {
      ++begun;
      while (begun < kThreads) std::this_thread::yield();
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(round % 3));
  }
}

// A caller that waits for long sleeps, and is woken.
TEST(ThreadPoolTest, LongTasksOfOthersAreWaitedFor) {
  const absl::StatusOr<std::unique_ptr<ThreadPool>> pool =
      ThreadPool::Create(2);
  ASSERT_THAT(pool, IsOk());
  const std::thread::id caller = std::this_thread::get_id();
  for (int round = 0; round < 5; ++round) {
    std::atomic<int> begun{0};
    int done = 0;
    (*pool)->Run(2, [&](int) {
      ++begun;
      while (begun < 2) std::this_thread::yield();
      if (std::this_thread::get_id() == caller) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      ++done;
    });
    EXPECT_EQ(done, 1);
  }
}

double ProcessSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
         1e-6 * (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

TEST(ThreadPoolTest, ThreadsWithoutWorkTakeNoTime) {
  const absl::StatusOr<std::unique_ptr<ThreadPool>> pool =
      ThreadPool::Create(4);
  ASSERT_THAT(pool, IsOk());
  (*pool)->Run(4, [](int) {});
  const double before = ProcessSeconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  // Three of them spinning would take 1.2 seconds, or as many as there are
  // cores for; one would take 0.4.
  EXPECT_LT(ProcessSeconds() - before, 0.1);
}

}  // namespace
}  // namespace fairdarts
