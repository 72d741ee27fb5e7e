#include "fairdarts/noise_schedule.h"

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"

namespace fairdarts {

absl::string_view NoiseSchedulerName(NoiseScheduler scheduler) {
  switch (scheduler) {
    case NoiseScheduler::kCosine:
      return "cosine";
    case NoiseScheduler::kStep:
      return "step";
  }
  FD_CHECK(false) << "no such scheduler: " << static_cast<int>(scheduler);
  return "";
}

absl::StatusOr<NoiseScheduler> ParseNoiseScheduler(absl::string_view name) {
  for (const NoiseScheduler scheduler : kAllNoiseSchedulers) {
    if (name == NoiseSchedulerName(scheduler)) return scheduler;
  }
  return UsageError(absl::StrCat(
      "unknown noise scheduler \"", name, "\"; the schedulers are ",
      absl::StrJoin(kAllNoiseSchedulers, ", ",
                    [](std::string* out, NoiseScheduler scheduler) {
                      absl::StrAppend(out, NoiseSchedulerName(scheduler));
                    })));
}

absl::string_view NoiseTypeName(SkipNoise::Kind kind) {
  switch (kind) {
    case SkipNoise::Kind::kNone:
      return "none";
    case SkipNoise::Kind::kNormal:
      return "N";
    case SkipNoise::Kind::kUniform:
      return "U";
  }
  FD_CHECK(false) << "no such noise: " << static_cast<int>(kind);
  return "";
}

absl::StatusOr<SkipNoise::Kind> ParseNoiseType(absl::string_view name) {
  for (const SkipNoise::Kind kind :
       {SkipNoise::Kind::kNormal, SkipNoise::Kind::kUniform}) {
    if (name == NoiseTypeName(kind)) return kind;
  }
  return UsageError(absl::StrCat("unknown noise type \"", name,
                                 "\"; the types are N (normal) and U "
                                 "(uniform integers from -3 to 2)"));
}

absl::StatusOr<float> NoiseScale(NoiseScheduler scheduler, int64_t epoch,
                                 int64_t max_step) {
  if (max_step < 1) {
    return UsageError(absl::StrCat(
        "noise: max_step is ", max_step,
        "; it must be at least 1, the epoch from which on there is none"));
  }
  if (epoch < 0) {
    return UsageError(
        absl::StrCat("noise: epoch is ", epoch, "; epochs count from 0"));
  }
  if (epoch >= max_step) return 0.0f;
  const double e = static_cast<double>(epoch);
  const double steps = static_cast<double>(max_step);
  switch (scheduler) {
    case NoiseScheduler::kCosine: {
      const double pi = std::acos(-1.0);
      return static_cast<float>((1 + std::cos(pi * e / steps)) / 2);
    }
    case NoiseScheduler::kStep:
      if (max_step == 1) return 1.0f;
      return static_cast<float>(1 - e / (steps - 1));
  }
  FD_CHECK(false) << "no such scheduler: " << static_cast<int>(scheduler);
  return 0.0f;
}

}  // namespace fairdarts
