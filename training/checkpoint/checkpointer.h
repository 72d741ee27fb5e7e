#ifndef TRAINING_CHECKPOINT_CHECKPOINTER_H_
#define TRAINING_CHECKPOINT_CHECKPOINTER_H_

// When a loop writes checkpoints, and how it stops.

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "training/checkpoint/checkpoint_folder.h"
#include "training/checkpoint/snapshot.h"
#include "training/checkpoint/step_guard.h"
#include "training/checkpoint/stop_signals.h"
#include "training/run_log.h"

namespace fairdarts {

struct CheckpointerOptions {
  int64_t every_steps = 0;  // 0: only when the loop asks for it
  StepGuard::Options guard;
};

// Stands between a loop and its steps. Not thread-safe.
class Checkpointer {
 public:
  // `take` makes a snapshot of the state between two steps; where it finds the
  // state unfit to be kept its error takes the checkpoint's place. `signals`
  // and `log` must outlive it.
  Checkpointer(CheckpointFolder folder, StopSignals& signals, RunLog& log,
               std::function<absl::StatusOr<Snapshot>()> take,
               const CheckpointerOptions& options);

  // Runs `work`, the step after `steps_done` steps or what follows the last
  // one of an epoch, and returns its status. Before it a checkpoint is written
  // where one is due or asked for by a signal; a signal to stop writes one and
  // returns StopSignals' error, with `where` in it, instead. One that comes
  // while a long `work` runs does not wait for its end (step_guard.h).
  absl::Status Guard(int64_t steps_done, absl::string_view where,
                     const std::function<absl::Status()>& work);

  // Writes a checkpoint now.
  absl::Status Save(int64_t steps_done, bool is_best = false);

 private:
  const CheckpointFolder folder_;
  StopSignals& signals_;
  RunLog& log_;
  const std::function<absl::StatusOr<Snapshot>()> take_;
  const CheckpointerOptions options_;
  StepGuard guard_;
  int64_t last_due_ = 0;
};

}  // namespace fairdarts

#endif  // TRAINING_CHECKPOINT_CHECKPOINTER_H_
