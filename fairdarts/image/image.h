#ifndef FAIRDARTS_IMAGE_IMAGE_H_
#define FAIRDARTS_IMAGE_IMAGE_H_

// Pixels in memory.

#include <cstdint>
#include <vector>

#include "absl/status/status.h"

namespace fairdarts {

// Rows from top to bottom, pixels from left to right, the channels of a pixel
// beside each other: grey, or red, green, blue.
struct Image {
  int width = 0;
  int height = 0;
  int channels = 0;
  std::vector<uint8_t> pixels;  // height * width * channels
};

// How large an image may be, whatever its file says: the longest side of a
// JPEG, and 300 MB of colour.
inline constexpr int kMaxImageSide = 65535;
inline constexpr int64_t kMaxImagePixels = 100'000'000;

// A data error that names the size where it is beyond the limits or empty. To
// be asked before anything is allocated by it.
absl::Status CheckImageSize(int64_t width, int64_t height);

}  // namespace fairdarts

#endif  // FAIRDARTS_IMAGE_IMAGE_H_
