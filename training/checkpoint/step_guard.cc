#include "training/checkpoint/step_guard.h"

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

// How often the watcher looks for a signal, which cannot wake it.
constexpr absl::Duration kLookEvery = absl::Milliseconds(100);

// A thread takes its signal mask from the one that starts it: signals go to
// the other threads.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

StepGuard::StepGuard(const StopSignals& signals, const Options& options)
    : signals_(signals), options_(options) {
  const SignalsBlocked blocked;
  watcher_ = std::thread([this] { Watch(); });
}

StepGuard::~StepGuard() {
  {
    const absl::MutexLock lock(&mutex_);
    done_ = true;
  }
  watcher_.join();
}

void StepGuard::Enter(std::function<absl::Status()> save) {
  entered_ = absl::Now();
  const absl::MutexLock lock(&mutex_);
  FD_CHECK(!within_) << "a step within a step";
  within_ = true;
  save_ = std::move(save);
}

void StepGuard::Leave() {
  const absl::MutexLock lock(&mutex_);
  FD_CHECK(within_) << "no step to leave";
  within_ = false;
  save_ = nullptr;
  last_step_ = absl::Now() - entered_;
}

void StepGuard::Watch() {
  const absl::MutexLock lock(&mutex_);
  absl::Time deadline = absl::InfiniteFuture();
  while (!done_) {
    // Also ends when done_ does.
    mutex_.AwaitWithTimeout(absl::Condition(&done_), kLookEvery);
    if (done_ || !within_ || !signals_.stopping()) {
      deadline = absl::InfiniteFuture();
      continue;
    }
    const absl::Time now = absl::Now();
    if (deadline == absl::InfiniteFuture()) deadline = now + options_.patience;
    if (now < deadline) continue;

    absl::Status end;
    if (save_ == nullptr) {
      end = signals_.StoppedStatus(
          "within a step; the last checkpoint is what remains");
    } else {
      end = save_();
      if (end.ok()) {
        end = signals_.StoppedStatus("within a step; kept is what was before");
      }
    }
    std::fprintf(stderr, "%s\n", std::string(end.message()).c_str());
    // Other threads are in the middle of the step: nothing of theirs can be
    // taken down in order.
    _exit(static_cast<int>(ExitCodeOf(end)));
  }
}

}  // namespace fairdarts
