#include "search_space/engine/thread_team.h"

#include <system_error>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

// The loops between two barriers take milliseconds; who spins longer than this
// waits for one that has lost its core.
constexpr int kSpins = 4000;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

absl::StatusOr<std::unique_ptr<ThreadTeam>> ThreadTeam::Create(int threads) {
  FD_CHECK_GE(threads, 1);
  std::unique_ptr<ThreadTeam> team = absl::WrapUnique(new ThreadTeam(threads));
  try {
    for (int i = 1; i < threads; ++i) {
      team->workers_.emplace_back([raw = team.get(), i] { raw->Loop(i); });
    }
  } catch (const std::system_error& error) {
    return EnvironmentError(
        absl::StrCat("cannot start ", threads - 1, " threads: ", error.what()));
  }
  return team;
}

ThreadTeam::~ThreadTeam() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  start_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadTeam::Run(int active, absl::FunctionRef<void(int thread)> work) {
  FD_CHECK(active >= 1 && active <= threads_) << active;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    work_ = &work;
    active_ = active;
    running_ = active - 1;
    if (active > 1) ++round_;
  }
  if (active > 1) start_.notify_all();
  work(0);
  std::unique_lock<std::mutex> lock(mutex_);
  done_.wait(lock, [this] { return running_ == 0; });
}

void ThreadTeam::Loop(int thread) {
  uint64_t seen = 0;
  while (true) {
    const absl::FunctionRef<void(int)>* work;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      start_.wait(lock, [&] { return stop_ || round_ != seen; });
      if (stop_) return;
      seen = round_;
      if (thread >= active_) continue;
      work = work_;
    }
    (*work)(thread);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--running_ == 0) done_.notify_one();
  }
}

void ThreadTeam::Barrier() {
  Barrier([] {});
}

void ThreadTeam::Barrier(absl::FunctionRef<void()> finish) {
  if (active_ == 1) return finish();
  const uint32_t phase = phase_.load(std::memory_order_relaxed);
  if (waiting_.fetch_add(1, std::memory_order_acq_rel) == active_ - 1) {
    finish();
    waiting_.store(0, std::memory_order_relaxed);
    phase_.store(phase + 1, std::memory_order_release);
    return;
  }
  int spins = 0;
  while (phase_.load(std::memory_order_acquire) == phase) {
    if (++spins < kSpins) {
      Pause();
    } else {
      std::this_thread::yield();
    }
  }
}

}  // namespace fairdarts
