#include "training/progress.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace fairdarts {
namespace {

constexpr absl::Duration kShowEvery = absl::Milliseconds(250);

// "0:07", "12:30" or "1:02:03".
std::string ClockText(absl::Duration duration) {
  const int64_t seconds = absl::ToInt64Seconds(duration + absl::Seconds(0.5));
  const int64_t hours = seconds / 3600;
  const int64_t minutes = seconds / 60 % 60;
  if (hours > 0) {
    return absl::StrFormat("%d:%02d:%02d", hours, minutes, seconds % 60);
  }
  return absl::StrFormat("%d:%02d", minutes, seconds % 60);
}

}  // namespace

Progress::Progress(RunLog& log, Options options)
    : log_(log),
      options_(std::move(options)),
      start_(options_.now()),
      epoch_start_(start_),
      last_step_(start_) {}

void Progress::Step(const StepReport& report) {
  const absl::Time now = options_.now();
  if (report.epoch != epoch_) {
    epoch_ = report.epoch;
    epoch_start_ = last_step_;
    epoch_images_ = 0;
  }
  last_step_ = now;
  ++steps_done_;
  epoch_images_ += report.images;
  if ((report.step + 1) % options_.report_freq == 0) {
    const std::string line = Line(report, now);
    if (log_.terminal()) {
      log_.FileOnly(line);
    } else {
      log_.Info(line);
    }
  }
  if (log_.terminal() && now - last_shown_ >= kShowEvery) {
    log_.Transient(Line(report, now));
    last_shown_ = now;
  }
}

std::string Progress::Line(const StepReport& report, absl::Time now) const {
  const int64_t steps =
      int64_t{options_.epochs} * int64_t{options_.steps_per_epoch};
  const int64_t steps_left =
      std::max<int64_t>(0, steps - options_.steps_before - steps_done_);
  const absl::Duration left = (now - start_) / steps_done_ * steps_left;
  const double seconds = absl::ToDoubleSeconds(now - epoch_start_);
  const std::string alpha =
      report.alpha_loss.has_value()
          ? absl::StrFormat(" alpha %.3f", *report.alpha_loss)
          : "";
  // Fits 80 columns, and the order is by what a watcher looks for first.
  return absl::StrFormat(
      "epoch %d/%d step %d/%d  loss %.3f%s  top-1 %.1f%%  %.0f images/s  "
      "%s left",
      report.epoch + 1, options_.epochs, report.step + 1,
      options_.steps_per_epoch, report.train_loss, alpha,
      100 * report.train_top1, seconds > 0 ? epoch_images_ / seconds : 0,
      ClockText(left));
}

}  // namespace fairdarts
