#ifndef FAIRDARTS_NOISE_SCHEDULE_H_
#define FAIRDARTS_NOISE_SCHEDULE_H_

// How the noise on skip connections (search_space/skip_noise.h) fades, so that
// the end of a search is as it is without. The scale in epoch e, from 0, with
// the step T at which it is gone:
//
//   cosine  (1 + cos(pi e / T)) / 2     for e < T, else 0
//   step    1 - e / (T - 1), linearly   for e < T, else 0; with T = 1 it is 1
//           in epoch 0: the T numbers from 1 down to 0

#include <array>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "search_space/skip_noise.h"

namespace fairdarts {

enum class NoiseScheduler { kCosine, kStep };

inline constexpr std::array<NoiseScheduler, 2> kAllNoiseSchedulers = {
    NoiseScheduler::kCosine, NoiseScheduler::kStep};

// "cosine", "step".
absl::string_view NoiseSchedulerName(NoiseScheduler scheduler);

// The scheduler of a name; an unknown one is a usage error that lists them.
absl::StatusOr<NoiseScheduler> ParseNoiseScheduler(absl::string_view name);

// "N" (normal), "U" (uniform); "none" of no noise, which has no name to parse.
absl::string_view NoiseTypeName(SkipNoise::Kind kind);

// The kind of "N" or "U"; another name is a usage error that lists them.
absl::StatusOr<SkipNoise::Kind> ParseNoiseType(absl::string_view name);

// In [0, 1]. A usage error where max_step is below 1 or epoch below 0.
absl::StatusOr<float> NoiseScale(NoiseScheduler scheduler, int64_t epoch,
                                 int64_t max_step);

}  // namespace fairdarts

#endif  // FAIRDARTS_NOISE_SCHEDULE_H_
