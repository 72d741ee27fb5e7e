#ifndef TRAINING_SCHEDULE_LR_SCHEDULE_H_
#define TRAINING_SCHEDULE_LR_SCHEDULE_H_

// The learning rate of an epoch.

#include <cstdint>

#include "absl/status/statusor.h"

namespace fairdarts {

// Cosine annealing without restarts (Loshchilov and Hutter, SGDR, arXiv
// 1608.03983, equation 5):
//   lr(e) = minimum + (initial - minimum) * (1 + cos(pi * e / epochs)) / 2
// Epochs count from 0, so the first runs at `initial` and none reaches
// `minimum`. Immutable.
class CosineSchedule {
 public:
  // Needs 0 <= minimum <= initial, both finite, initial > 0 and epochs >= 1;
  // otherwise a usage error with the field and its value.
  static absl::StatusOr<CosineSchedule> Create(double initial, double minimum,
                                               int64_t epochs);

  // The rate of an epoch in [0, epochs).
  double LearningRate(int64_t epoch) const;

 private:
  CosineSchedule(double initial, double minimum, int64_t epochs)
      : initial_(initial), minimum_(minimum), epochs_(epochs) {}

  double initial_;
  double minimum_;
  int64_t epochs_;
};

}  // namespace fairdarts

#endif  // TRAINING_SCHEDULE_LR_SCHEDULE_H_
