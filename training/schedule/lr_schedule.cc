#include "training/schedule/lr_schedule.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

constexpr double kPi = 3.14159265358979323846;

// The part of the way down that is left when `done` of the epochs are.
double Left(LrScheduleOptions::Decay decay, double done) {
  switch (decay) {
    case LrScheduleOptions::Decay::kCosine:
      return (1 + std::cos(kPi * done)) / 2;
    case LrScheduleOptions::Decay::kLinear:
      break;
  }
  return 1 - done;
}

}  // namespace

absl::StatusOr<LrSchedule> LrSchedule::Create(
    const LrScheduleOptions& options) {
  const double initial = options.initial;
  if (!(std::isfinite(initial) && initial > 0)) {
    return UsageError(absl::StrCat("learning_rate ", initial,
                                   ": it must be a finite number above 0"));
  }
  if (!(options.minimum >= 0 && options.minimum <= initial)) {
    return UsageError(absl::StrCat("learning_rate_min ", options.minimum,
                                   ": it must lie between 0 and learning_rate ",
                                   initial));
  }
  if (options.epochs < 1) {
    return UsageError(
        absl::StrCat("epochs ", options.epochs, ": there must be at least 1"));
  }
  if (options.warmup_epochs < 0 || options.warmup_epochs > options.epochs) {
    return UsageError(absl::StrCat("warmup_epochs ", options.warmup_epochs,
                                   ": it must lie between 0 and epochs ",
                                   options.epochs));
  }
  return LrSchedule(options);
}

double LrSchedule::LearningRate(int64_t epoch) const {
  FD_CHECK(epoch >= 0 && epoch < options_.epochs)
      << epoch << " of " << options_.epochs;
  const double done =
      static_cast<double>(epoch) / static_cast<double>(options_.epochs);
  const double rate = options_.minimum + (options_.initial - options_.minimum) *
                                             Left(options_.decay, done);
  if (epoch >= options_.warmup_epochs) return rate;
  return rate * static_cast<double>(epoch + 1) /
         static_cast<double>(options_.warmup_epochs);
}

}  // namespace fairdarts
