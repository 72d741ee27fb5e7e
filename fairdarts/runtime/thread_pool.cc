#include "fairdarts/runtime/thread_pool.h"

#include <chrono>
#include <cstdint>
#include <system_error>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

// In running_.
constexpr unsigned kCallerSleeps = 1u << 31;

// How long threads look before they sleep: longer than the steps of a plan of
// which only the caller has a part.
constexpr std::chrono::microseconds kPatience(200);
// For as long they keep their core for themselves; then whoever else has no
// core may have it.
constexpr std::chrono::microseconds kSelfishness(50);
// Between looks at the clock.
constexpr int kSpins = 32;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

// Whether `ready` came to hold while there was patience.
template <typename Ready>
bool SpinUntil(Ready ready) {
  for (int i = 0; i < kSpins; ++i) {
    if (ready()) return true;
    Pause();
  }
  const auto begin = std::chrono::steady_clock::now();
  while (true) {
    const auto waited = std::chrono::steady_clock::now() - begin;
    if (waited > kPatience) return false;
    if (waited > kSelfishness) std::this_thread::yield();
    for (int i = 0; i < kSpins; ++i) {
      if (ready()) return true;
      Pause();
    }
  }
}

}  // namespace

ThreadPool::ThreadPool(int threads)
    : threads_(threads), shares_(new Share[threads]) {}

absl::StatusOr<std::unique_ptr<ThreadPool>> ThreadPool::Create(int threads) {
  FD_CHECK_GE(threads, 1);
  std::unique_ptr<ThreadPool> pool = absl::WrapUnique(new ThreadPool(threads));
  pool->workers_.reserve(threads - 1);
  try {
    for (int i = 1; i < threads; ++i) {
      pool->workers_.emplace_back([raw = pool.get(), i] { raw->Loop(i); });
    }
  } catch (const std::system_error& error) {
    return EnvironmentError(
        absl::StrCat("cannot start ", threads - 1, " threads: ", error.what()));
  }
  return pool;
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_.store(true, std::memory_order_release);
  }
  start_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::Run(int tasks, absl::FunctionRef<void(int task)> work) {
  if (threads_ == 1 || tasks <= 1) {
    for (int task = 0; task < tasks; ++task) work(task);
    return;
  }
  work_ = &work;
  running_.store(static_cast<unsigned>(tasks), std::memory_order_relaxed);
  // From here on tasks are taken, which shows the two lines above.
  for (int thread = 0; thread < threads_ && thread < tasks; ++thread) {
    shares_[thread].left.store((tasks - thread + threads_ - 1) / threads_,
                               std::memory_order_release);
  }
  // A thread that goes to sleep counts itself first and then looks for work.
  // Both change the counter, so one of them sees the other.
  if (sleeping_.fetch_add(0, std::memory_order_acq_rel) != 0) {
    { const std::lock_guard<std::mutex> lock(mutex_); }
    start_.notify_all();
  }
  Work(0);
  AwaitTasks();
}

void ThreadPool::Work(int thread) {
  for (int i = 0; i < threads_; ++i) {
    const int owner = (thread + i) % threads_;
    std::atomic<int>& left = shares_[owner].left;
    int count = left.load(std::memory_order_relaxed);
    while (count > 0) {
      // The number may be that of a later call by now: then so is the task.
      if (!left.compare_exchange_weak(count, count - 1,
                                      std::memory_order_acquire,
                                      std::memory_order_relaxed)) {
        continue;
      }
      (*work_)(owner + (count - 1) * threads_);
      // The last one wakes the caller, who stays here until then.
      if (running_.fetch_sub(1, std::memory_order_acq_rel) ==
          (kCallerSleeps | 1)) {
        const std::lock_guard<std::mutex> lock(mutex_);
        done_.notify_one();
      }
      count = left.load(std::memory_order_relaxed);
    }
  }
}

void ThreadPool::AwaitTasks() {
  if (SpinUntil(
          [&] { return running_.load(std::memory_order_acquire) == 0; })) {
    return;
  }
  std::unique_lock<std::mutex> lock(mutex_);
  if (running_.fetch_or(kCallerSleeps, std::memory_order_acq_rel) == 0) return;
  done_.wait(lock, [&] {
    return running_.load(std::memory_order_acquire) == kCallerSleeps;
  });
}

bool ThreadPool::HasWork(int thread) const {
  return shares_[thread].left.load(std::memory_order_relaxed) > 0 ||
         stop_.load(std::memory_order_relaxed);
}

void ThreadPool::AwaitWork(int thread) {
  if (SpinUntil([&] { return HasWork(thread); })) return;
  std::unique_lock<std::mutex> lock(mutex_);
  sleeping_.fetch_add(1, std::memory_order_acq_rel);
  start_.wait(lock, [&] { return HasWork(thread); });
  sleeping_.fetch_sub(1, std::memory_order_acq_rel);
}

void ThreadPool::Loop(int thread) {
  while (true) {
    AwaitWork(thread);
    if (stop_.load(std::memory_order_acquire)) return;
    Work(thread);
  }
}

}  // namespace fairdarts
