#include "fairdarts/runtime/run_spans.h"

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"

namespace fairdarts {

absl::StatusOr<int64_t> CountImages(absl::Span<const float> images,
                                    absl::Span<float> logits,
                                    int64_t image_floats, int classes) {
  const int64_t floats = static_cast<int64_t>(images.size());
  if (floats == 0 || floats % image_floats != 0) {
    return UsageError(absl::StrCat("images: ", floats, " floats; an image has ",
                                   image_floats,
                                   ", and there is one at least"));
  }
  const int64_t count = floats / image_floats;
  if (static_cast<int64_t>(logits.size()) != count * classes) {
    return UsageError(absl::StrCat("logits: room for ", logits.size(),
                                   " floats; ", count, " images give ",
                                   count * classes));
  }
  if (images.data() == nullptr || logits.data() == nullptr) {
    return UsageError("images and logits must not be null");
  }
  return count;
}

}  // namespace fairdarts
