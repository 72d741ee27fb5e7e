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
// Images/s are of the epoch so far; time left is what a step has taken on
// average in this sitting, whatever lay between, times the steps that remain.
// Not thread-safe.
class Progress {
 public:
  struct Options {
    int epochs = 0;
    int steps_per_epoch = 0;
    int64_t steps_before = 0;  // done in earlier sittings of the run
    int report_freq = 50;
    std::function<absl::Time()> now = absl::Now;
  };

  // Time is counted from here. `log` must outlive it.
  Progress(RunLog& log, Options options);

  // After each step, in order.
  void Step(const StepReport& report);

 private:
  std::string Line(const StepReport& report, absl::Time now) const;

  RunLog& log_;
  const Options options_;
  const absl::Time start_;
  absl::Time last_shown_ = absl::InfinitePast();
  int64_t steps_done_ = 0;
  int epoch_ = 0;  // of the last step
  absl::Time epoch_start_;
  absl::Time last_step_;
  int64_t epoch_images_ = 0;
};

}  // namespace fairdarts

#endif  // TRAINING_PROGRESS_H_
