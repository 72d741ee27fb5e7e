#ifndef FAIRDARTS_IMAGE_RAW_IMAGE_H_
#define FAIRDARTS_IMAGE_RAW_IMAGE_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "fairdarts/image/image.h"

namespace fairdarts {

// How bytes are ordered that are pixels and nothing else.
enum class RawLayout {
  kChw,  // plane after plane, as in CIFAR's binary files
  kHwc,  // the channels of a pixel beside each other, as in most programs
};

// An image of channels x height x width bytes. A data error names both sizes
// where there are more or fewer.
absl::StatusOr<Image> RawImage(absl::string_view bytes, RawLayout layout,
                               int channels, int height, int width);

}  // namespace fairdarts

#endif  // FAIRDARTS_IMAGE_RAW_IMAGE_H_
