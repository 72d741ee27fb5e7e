#include "training/checkpoint/stop_signals.h"

#include <atomic>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"

namespace fairdarts {
namespace {

constexpr int kHandled[] = {SIGINT, SIGTERM, SIGUSR1};

// What handlers and watchers share; a handler may touch nothing else.
std::atomic<bool> installed{false};
std::atomic<int> stop_signal{0};
std::atomic<bool> checkpoint_asked{false};
static_assert(std::atomic<int>::is_always_lock_free);
static_assert(std::atomic<bool>::is_always_lock_free);

void Handle(int signal) {
  if (signal == SIGUSR1) {
    checkpoint_asked.store(true);
    return;
  }
  int none = 0;
  if (!stop_signal.compare_exchange_strong(none, signal) && signal == SIGINT) {
    // Blocked until the handler returns, and then final.
    std::signal(SIGINT, SIG_DFL);
    std::raise(SIGINT);
  }
}

}  // namespace

StopSignals::StopSignals() {
  FD_CHECK(!installed.exchange(true)) << "another StopSignals is alive";
  stop_signal.store(0);
  checkpoint_asked.store(false);
  struct sigaction action = {};
  action.sa_handler = Handle;
  // Interrupted system calls go on: the loop looks when it is ready.
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (int i = 0; i < 3; ++i) {
    FD_CHECK_EQ(sigaction(kHandled[i], &action, &before_[i]), 0);
  }
}

StopSignals::~StopSignals() {
  for (int i = 0; i < 3; ++i) sigaction(kHandled[i], &before_[i], nullptr);
  installed.store(false);
}

StopRequest StopSignals::Poll() {
  if (stopping()) return StopRequest::kStop;
  return checkpoint_asked.exchange(false) ? StopRequest::kCheckpoint
                                          : StopRequest::kNone;
}

bool StopSignals::stopping() const { return stop_signal.load() != 0; }

ExitCode StopSignals::exit_code() const {
  switch (stop_signal.load()) {
    case 0:
      return ExitCode::kDone;
    case SIGINT:
      return ExitCode::kInterrupted;
    default:
      return ExitCode::kTerminated;
  }
}

absl::Status StopSignals::StoppedStatus(absl::string_view where) const {
  FD_CHECK(stopping());
  return StoppedError(
      exit_code(),
      absl::StrCat("stopped by ",
                   exit_code() == ExitCode::kInterrupted ? "SIGINT" : "SIGTERM",
                   " ", where, "; --resume=auto goes on from there"));
}

}  // namespace fairdarts
