#ifndef FAIRDARTS_RUNTIME_THREAD_POOL_H_
#define FAIRDARTS_RUNTIME_THREAD_POOL_H_

// A fixed number of threads that work on one thing together.

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "fairdarts/runtime/executor.h"

namespace fairdarts {

// Run() allocates nothing. Used by one caller at a time.
//
// Threads look for work in a busy loop for a fraction of a millisecond before
// they sleep: calls that follow each other closely cost less than a microsecond
// each, and between others the threads take no time. Each thread has tasks of
// its own, the same ones in every call, so that it finds in its cache what it
// left there; whoever is done takes those of the others, so that nobody waits
// for a thread that has no core.
class ThreadPool : public Executor {
 public:
  // `threads` with the caller's, 1 at least: that many less one are started.
  // An environment error where the system gives no more.
  static absl::StatusOr<std::unique_ptr<ThreadPool>> Create(int threads);
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const override { return threads_; }

  // Any number of tasks, here and on the other threads.
  void Run(int tasks, absl::FunctionRef<void(int task)> work) override;

 private:
  // The tasks of a thread that nobody has taken: `thread`, then those that
  // follow it in steps of the number of threads. A cache line each.
  struct alignas(64) Share {
    std::atomic<int> left{0};
  };

  explicit ThreadPool(int threads);
  void Loop(int thread);
  // Takes tasks until there are none, those of `thread` first.
  void Work(int thread);
  // Until there is work for `thread`, or the pool ends.
  void AwaitWork(int thread);
  void AwaitTasks();
  bool HasWork(int thread) const;

  const int threads_;
  std::vector<std::thread> workers_;
  const std::unique_ptr<Share[]> shares_;
  // Written while no task runs, read by those that took one.
  const absl::FunctionRef<void(int)>* work_ = nullptr;
  // Tasks that have not returned, and whether the caller sleeps until then.
  alignas(64) std::atomic<unsigned> running_{0};
  alignas(64) std::atomic<int> sleeping_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable start_;
  std::condition_variable done_;
};

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_THREAD_POOL_H_
