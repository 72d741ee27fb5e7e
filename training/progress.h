#ifndef TRAINING_PROGRESS_H_
#define TRAINING_PROGRESS_H_

// How far a search is, for who watches it.

#include <cstdint>
#include <functional>
#include <string>

#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "training/run_log.h"

namespace fairdarts {

// A step that is done.
struct StepReport {
  int epoch = 0;          // from 0
  int step = 0;           // from 0, within the epoch
  double train_loss = 0;  // of this step, or a mean: as the caller likes
  absl::optional<double> alpha_loss;  // none where there are no alpha steps
  double train_top1 = 0;              // a fraction in [0, 1]
  int64_t images = 0;                 // that this step saw, of both halves
};

// On a terminal a line that writes over itself, at most four times a second;
// elsewhere, and in the log file, a plain line every `report_freq` steps.
// Images/s are of the epoch so far. Time left is the sum of what remains of
// three things, each at its price in this sitting: steps at their mean, but for
// the first one, which also warms up; images evaluated, at that of the last
// evaluation; ends of epochs beside it, at their mean. What has not been seen
// yet counts nothing. Not thread-safe.
class Progress {
 public:
  struct Options {
    int epochs = 0;
    int steps_per_epoch = 0;
    int64_t steps_before = 0;  // done in earlier sittings of the run
    // Images that are evaluated after every epoch, and beside them after the
    // last one.
    int64_t evaluated_each_epoch = 0;
    int64_t evaluated_at_end = 0;
    int report_freq = 50;
    std::function<absl::Time()> now = absl::Now;
  };

  // Time is counted from here. `log` must outlive it.
  Progress(RunLog& log, Options options);

  // After each step, in order.
  void Step(const StepReport& report);

  // After so many images were evaluated within `time`: as a trial between two
  // steps, or as a part of what follows an epoch.
  void Evaluated(int64_t images, absl::Duration time);

  // After all that follows an epoch's last step.
  void EpochEnded();

 private:
  // Since the last call, but for evaluations.
  absl::Duration TakeTime(absl::Time now);
  absl::Duration TimeLeft(int epoch) const;
  std::string Line(const StepReport& report) const;

  RunLog& log_;
  const Options options_;
  absl::Time last_call_;
  absl::Duration evaluated_;  // within the time since then
  absl::Time last_shown_ = absl::InfinitePast();
  int64_t steps_done_ = 0;
  absl::Duration step_time_;  // of all but the first, while there are others
  int epochs_ended_ = 0;
  absl::Duration epoch_end_time_;
  absl::Duration image_time_;  // of the last evaluation
  int epoch_ = 0;              // of the last step
  absl::Duration epoch_time_;  // of its steps
  int64_t epoch_images_ = 0;
};

}  // namespace fairdarts

#endif  // TRAINING_PROGRESS_H_
