#ifndef TRAINING_SCHEDULE_LR_SCHEDULE_H_
#define TRAINING_SCHEDULE_LR_SCHEDULE_H_

// The learning rate of an epoch.

#include <cstdint>

#include "absl/status/statusor.h"

namespace fairdarts {

struct LrScheduleOptions {
  enum class Decay { kCosine, kLinear };

  Decay decay = Decay::kCosine;
  double initial = 0;
  double minimum = 0;
  int64_t epochs = 0;
  int64_t warmup_epochs = 0;
};

// How far epoch e, from 0, lies into the run decides how much of the way from
// the initial rate to the minimum is left:
//   lr(e) = minimum + (initial - minimum) * left(e / epochs)
//   cosine: left(t) = (1 + cos(pi * t)) / 2   (Loshchilov and Hutter, SGDR,
//           arXiv 1608.03983, equation 5, without restarts)
//   linear: left(t) = 1 - t
// so the first epoch runs at the initial rate and none reaches the minimum. In
// the first `warmup_epochs` the rate is (e + 1) / warmup_epochs of that (Goyal
// et al., arXiv 1706.02677, section 2.2). Immutable.
class LrSchedule {
 public:
  // Needs 0 <= minimum <= initial, both finite, initial > 0, epochs >= 1 and
  // 0 <= warmup_epochs <= epochs; otherwise a usage error with the field and
  // its value.
  static absl::StatusOr<LrSchedule> Create(const LrScheduleOptions& options);

  // The rate of an epoch in [0, epochs).
  double LearningRate(int64_t epoch) const;

 private:
  explicit LrSchedule(const LrScheduleOptions& options) : options_(options) {}

  LrScheduleOptions options_;
};

}  // namespace fairdarts

#endif  // TRAINING_SCHEDULE_LR_SCHEDULE_H_
