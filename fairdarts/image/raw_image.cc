#include "fairdarts/image/raw_image.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"

namespace fairdarts {

absl::StatusOr<Image> RawImage(absl::string_view bytes, RawLayout layout,
                               int channels, int height, int width) {
  const size_t plane = size_t{1} * height * width;
  if (bytes.size() != channels * plane) {
    return DataError(
        absl::StrCat("has ", bytes.size(), " bytes; a raw image of ", channels,
                     "x", height, "x", width, " has ", channels * plane));
  }
  Image image;
  image.width = width;
  image.height = height;
  image.channels = channels;
  if (layout == RawLayout::kHwc) {
    image.pixels.assign(bytes.begin(), bytes.end());
    return image;
  }
  image.pixels.resize(bytes.size());
  for (size_t i = 0; i < plane; ++i) {
    for (int c = 0; c < channels; ++c) {
      image.pixels[i * channels + c] =
          static_cast<uint8_t>(bytes[c * plane + i]);
    }
  }
  return image;
}

}  // namespace fairdarts
