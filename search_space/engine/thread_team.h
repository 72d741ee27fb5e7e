#ifndef SEARCH_SPACE_ENGINE_THREAD_TEAM_H_
#define SEARCH_SPACE_ENGINE_THREAD_TEAM_H_

// A fixed number of threads that work on one thing together.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

namespace fairdarts {

// Run() and Barrier() allocate nothing. Used by one caller at a time.
class ThreadTeam {
 public:
  // `threads` with the caller's, 1 at least: that many less one are started.
  // An environment error where the system gives no more.
  static absl::StatusOr<std::unique_ptr<ThreadTeam>> Create(int threads);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  int threads() const { return threads_; }

  // work(0) here and work(1) to work(active - 1) on others, 1 <= active <=
  // threads(); returns when all have returned.
  void Run(int active, absl::FunctionRef<void(int thread)> work);

  // Within Run(): waits until all active threads are here, as often as all of
  // them call it. What one wrote before, the others see behind it.
  void Barrier();

  // The same, and the last to arrive runs `finish` before any goes on.
  void Barrier(absl::FunctionRef<void()> finish);

 private:
  explicit ThreadTeam(int threads) : threads_(threads) {}
  void Loop(int thread);

  const int threads_;
  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable start_;
  std::condition_variable done_;
  const absl::FunctionRef<void(int)>* work_ = nullptr;  // under mutex_
  int active_ = 1;                                      // under mutex_
  uint64_t round_ = 0;                                  // under mutex_
  int running_ = 0;                                     // under mutex_
  bool stop_ = false;                                   // under mutex_
  std::atomic<int> waiting_{0};
  std::atomic<uint32_t> phase_{0};
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_ENGINE_THREAD_TEAM_H_
