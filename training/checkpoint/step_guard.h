#ifndef TRAINING_CHECKPOINT_STEP_GUARD_H_
#define TRAINING_CHECKPOINT_STEP_GUARD_H_

// Lets a run leave soon after a signal although a single step takes minutes.

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "training/checkpoint/stop_signals.h"

namespace fairdarts {

// A loop brackets whatever takes time, a step or an evaluation:
//
//   while (...) {
//     if (signals.Poll() == kStop) { save a checkpoint; return the status }
//     std::function<absl::Status()> save;
//     if (guard.WantsSave()) save = [snapshot = TakeSnapshot(), &folder] {...};
//     guard.Enter(std::move(save));
//     ...the step...
//     guard.Leave();
//   }
//
// As a rule a stop waits for Leave(), and the loop writes the checkpoint. When
// it has waited for `patience` within a step, a thread of the guard's calls the
// step's `save`, which writes the state before the step, and ends the process
// with the signal's exit code (or that of save's error), without destructors.
// The step then never comes back: Leave() blocks from the moment that `save`
// has begun. So `save` may use only what the step does not change: a snapshot
// that it owns. A step entered without `save` ends the process too; the last
// checkpoint on the disk then is what remains.
//
// A snapshot costs a copy of the run's state, so it is asked for only where a
// step is long beside that: WantsSave() is true for the first step and
// whenever the last one took longer than `slow_step`.
//
// One thread drives it. `signals` must outlive it.
class StepGuard {
 public:
  struct Options {
    absl::Duration slow_step = absl::Seconds(1);
    absl::Duration patience = absl::Seconds(15);
  };

  explicit StepGuard(const StopSignals& signals)
      : StepGuard(signals, Options()) {}
  StepGuard(const StopSignals& signals, const Options& options);
  StepGuard(const StepGuard&) = delete;
  StepGuard& operator=(const StepGuard&) = delete;
  // Between steps.
  ~StepGuard();

  bool WantsSave() const { return last_step_ > options_.slow_step; }
  void Enter(std::function<absl::Status()> save);
  void Leave();

 private:
  void Watch();

  const StopSignals& signals_;
  const Options options_;
  absl::Time entered_;
  absl::Duration last_step_ = absl::InfiniteDuration();

  absl::Mutex mutex_;
  bool within_ ABSL_GUARDED_BY(mutex_) = false;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  std::function<absl::Status()> save_ ABSL_GUARDED_BY(mutex_);
  std::thread watcher_;
};

}  // namespace fairdarts

#endif  // TRAINING_CHECKPOINT_STEP_GUARD_H_
