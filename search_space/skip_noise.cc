#include "search_space/skip_noise.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"

namespace fairdarts {

absl::Status CheckSkipNoise(const SkipNoise& noise) {
  if (std::isfinite(noise.scale) && noise.scale >= 0) return absl::OkStatus();
  return UsageError(absl::StrCat("skip noise: scale is ", noise.scale,
                                 "; it must be finite and at least 0"));
}

}  // namespace fairdarts
