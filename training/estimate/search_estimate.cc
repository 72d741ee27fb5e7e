#include "training/estimate/search_estimate.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "fairdarts/base/check.h"

namespace fairdarts {

double SearchSeconds(const SearchWork& work, const SearchTrial& trial) {
  const double image = trial.step / static_cast<double>(trial.step_images);
  return std::max(0.0, trial.first_step - trial.step) +
         image * static_cast<double>(work.step_images) +
         trial.evaluated_image * static_cast<double>(work.evaluated_images);
}

int64_t MemoryModel::Peak(int64_t batch) const {
  const int64_t granules = (batch + granule - 1) / granule;
  return std::max(floor, fixed + granules * step);
}

int64_t MemoryModel::LargestBatch(int64_t bytes, int64_t multiple,
                                  int64_t most) const {
  if (Peak(multiple) > bytes) return 0;
  // Peak() does not fall: halve the range between what fits and what does not.
  int64_t fits = 1;
  int64_t too_many = most / multiple + 1;
  if (too_many <= fits) return 0;
  while (too_many - fits > 1) {
    const int64_t middle = fits + (too_many - fits) / 2;
    (Peak(middle * multiple) <= bytes ? fits : too_many) = middle;
  }
  return fits * multiple;
}

MemoryModel MemoryThrough(int64_t batch_a, int64_t peak_a, int64_t batch_b,
                          int64_t peak_b) {
  FD_CHECK_LT(batch_a, batch_b);
  MemoryModel model;
  model.step = std::max<int64_t>(0, (peak_b - peak_a) / (batch_b - batch_a));
  model.fixed = peak_b - batch_b * model.step;
  return model;
}

std::string DurationText(double seconds) {
  constexpr int64_t kMinute = 60;
  constexpr int64_t kHour = 60 * kMinute;
  constexpr int64_t kDay = 24 * kHour;
  if (seconds < 10) return absl::StrFormat("%.1f s", seconds);
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 2 * kMinute) return absl::StrFormat("%d s", whole);
  if (whole < 10 * kMinute) {
    return absl::StrFormat("%d min %d s", whole / kMinute, whole % kMinute);
  }
  const int64_t minutes = (whole + kMinute / 2) / kMinute;
  if (minutes < 60) return absl::StrFormat("%d min", minutes);
  if (minutes * kMinute < kDay) {
    return absl::StrFormat("%d h %d min", minutes / 60, minutes % 60);
  }
  const int64_t hours = (whole + kHour / 2) / kHour;
  return absl::StrFormat("%d day%s %d h", hours / 24, hours < 48 ? "" : "s",
                         hours % 24);
}

std::string BytesText(int64_t bytes) {
  const double mega = static_cast<double>(bytes) * 1e-6;
  return mega < 1000 ? absl::StrFormat("%.0f MB", mega)
                     : absl::StrFormat("%.1f GB", mega * 1e-3);
}

std::string EstimateText(const SearchEstimate& e) {
  const SearchTrial& trial = e.trial;
  const double evaluation =
      trial.evaluated_image * static_cast<double>(e.work.evaluated_images);
  std::string text = absl::StrFormat(
      "time: about %s: %d steps of %.3g s at batch %d (%.0f images/s; %.1f %% "
      "of it for batches), then %s to evaluate %d images; from %d steps after "
      "one that warms up\n",
      DurationText(SearchSeconds(e.work, trial)), e.work.steps,
      trial.step * static_cast<double>(e.batch) /
          static_cast<double>(trial.batch),
      e.batch, static_cast<double>(trial.step_images) / trial.step,
      100 * trial.batches / trial.step, DurationText(evaluation),
      e.work.evaluated_images, e.timed_steps);
  const int64_t peak = e.memory.Peak(e.batch);
  const bool fits = peak <= e.free.bytes;
  absl::StrAppend(
      &text, "memory: about ", BytesText(peak), " at its peak; ",
      BytesText(e.free.bytes), " can be had (", e.free.limit, ")",
      fits ? ""
           : absl::StrCat(": batch ", e.batch,
                          " does not fit, and the time is that of an image "
                          "at batch ",
                          trial.batch),
      "\n");
  const int64_t largest =
      e.memory.LargestBatch(e.free.bytes, e.multiple, e.most_batch);
  if (largest == 0) {
    absl::StrAppend(
        &text, "batch: no multiple of ", e.multiple,
        e.most_batch < e.multiple ? ": the data have too few images" : " fits");
  } else {
    absl::StrAppend(
        &text, "batch: up to ", largest,
        largest + e.multiple > e.most_batch ? ", all that the data allow"
                                            : " fits",
        ", with about ", BytesText(e.memory.Peak(largest)), " (",
        BytesText(e.memory.step / e.memory.granule), " for each image)");
  }
  if (!e.memory_modelled) {
    absl::StrAppend(&text, "; by a line through two batches");
  }
  return text;
}

}  // namespace fairdarts
