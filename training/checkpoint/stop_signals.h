#ifndef TRAINING_CHECKPOINT_STOP_SIGNALS_H_
#define TRAINING_CHECKPOINT_STOP_SIGNALS_H_

// SIGINT, SIGTERM and SIGUSR1 as requests that a loop looks at between steps.

#include <csignal>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/status.h"

namespace fairdarts {

enum class StopRequest {
  kNone,
  kCheckpoint,  // SIGUSR1: write a checkpoint and go on
  kStop,        // SIGINT, SIGTERM: write one and leave
};

// Handles the three signals for its lifetime and puts back what was there
// before. One at a time in a process (FD_CHECK). A second SIGINT while a stop
// is pending ends the process at once, as if there were no handler. A SIGINT
// that was ignored before is handled too: shells have their background jobs
// ignore it, and one that is sent all the same is meant.
class StopSignals {
 public:
  StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals();

  // What is pending. A stop stays pending; a checkpoint is told once. From one
  // thread at a time.
  StopRequest Poll();

  // The rest from any thread. Whether a stop is pending:
  bool stopping() const;
  // The exit code that goes with it, kInterrupted or kTerminated; kDone where
  // none is.
  ExitCode exit_code() const;
  // The error that a loop ends with after its checkpoint: "stopped by SIGTERM
  // WHERE; ...how to go on". Only while stopping().
  absl::Status StoppedStatus(absl::string_view where) const;

 private:
  struct sigaction before_[3];
};

}  // namespace fairdarts

#endif  // TRAINING_CHECKPOINT_STOP_SIGNALS_H_
