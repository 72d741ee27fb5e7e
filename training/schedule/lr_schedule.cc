#include "training/schedule/lr_schedule.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

constexpr double kPi = 3.14159265358979323846;

}  // namespace

absl::StatusOr<CosineSchedule> CosineSchedule::Create(double initial,
                                                      double minimum,
                                                      int64_t epochs) {
  if (!(std::isfinite(initial) && initial > 0)) {
    return UsageError(absl::StrCat("learning_rate ", initial,
                                   ": it must be a finite number above 0"));
  }
  if (!(minimum >= 0 && minimum <= initial)) {
    return UsageError(absl::StrCat("learning_rate_min ", minimum,
                                   ": it must lie between 0 and learning_rate ",
                                   initial));
  }
  if (epochs < 1) {
    return UsageError(
        absl::StrCat("epochs ", epochs, ": there must be at least 1"));
  }
  return CosineSchedule(initial, minimum, epochs);
}

double CosineSchedule::LearningRate(int64_t epoch) const {
  FD_CHECK(epoch >= 0 && epoch < epochs_) << epoch << " of " << epochs_;
  const double phase =
      kPi * static_cast<double>(epoch) / static_cast<double>(epochs_);
  return minimum_ + (initial_ - minimum_) * (1 + std::cos(phase)) / 2;
}

}  // namespace fairdarts
