#include "training/last_batch.h"

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"

namespace fairdarts {

absl::Status CheckLastBatch(const EpochSampler& sampler,
                            const Dataset& dataset) {
  constexpr int kOnePixel = 4;
  if (dataset.height > kOnePixel || dataset.width > kOnePixel ||
      sampler.last_batch_size() > 1) {
    return absl::OkStatus();
  }
  return UsageError(absl::StrCat(
      "batch_size: the last batch of an epoch is a single image, which batch "
      "norm cannot normalise on images of ",
      dataset.height, "x", dataset.width,
      "; use a batch size that leaves none, or steps_per_epoch"));
}

}  // namespace fairdarts
