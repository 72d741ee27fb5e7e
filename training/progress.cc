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
    : log_(log), options_(std::move(options)), last_call_(options_.now()) {}

absl::Duration Progress::TakeTime(absl::Time now) {
  const absl::Duration time = now - last_call_ - evaluated_;
  last_call_ = now;
  evaluated_ = absl::ZeroDuration();
  return std::max(time, absl::ZeroDuration());
}

void Progress::Evaluated(int64_t images, absl::Duration time) {
  evaluated_ += time;
  image_time_ = time / std::max<int64_t>(images, 1);
}

void Progress::EpochEnded() {
  epoch_end_time_ += TakeTime(options_.now());
  ++epochs_ended_;
}

void Progress::Step(const StepReport& report) {
  const absl::Time now = options_.now();
  const absl::Duration time = TakeTime(now);
  if (report.epoch != epoch_) {
    epoch_ = report.epoch;
    epoch_time_ = absl::ZeroDuration();
    epoch_images_ = 0;
  }
  epoch_time_ += time;
  ++steps_done_;
  if (steps_done_ == 2) step_time_ = absl::ZeroDuration();
  step_time_ += time;
  epoch_images_ += report.images;
  if ((report.step + 1) % options_.report_freq == 0) {
    const std::string line = Line(report);
    if (log_.terminal()) {
      log_.FileOnly(line);
    } else {
      log_.Info(line);
    }
  }
  if (log_.terminal() && now - last_shown_ >= kShowEvery) {
    log_.Transient(Line(report));
    last_shown_ = now;
  }
}

absl::Duration Progress::TimeLeft(int epoch) const {
  const int64_t steps =
      int64_t{options_.epochs} * int64_t{options_.steps_per_epoch};
  const int64_t steps_left =
      std::max<int64_t>(0, steps - options_.steps_before - steps_done_);
  // The one that runs has its end before it.
  const int64_t epochs_left = std::max(0, options_.epochs - epoch);
  const int64_t images_left =
      epochs_left * options_.evaluated_each_epoch + options_.evaluated_at_end;
  absl::Duration left =
      step_time_ / std::max<int64_t>(1, steps_done_ - 1) * steps_left +
      image_time_ * images_left;
  if (epochs_ended_ > 0) left += epoch_end_time_ / epochs_ended_ * epochs_left;
  return left;
}

std::string Progress::Line(const StepReport& report) const {
  const double seconds = absl::ToDoubleSeconds(epoch_time_);
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
      ClockText(TimeLeft(report.epoch)));
}

}  // namespace fairdarts
