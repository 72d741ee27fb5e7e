#include "fairdarts/image/orientation.h"

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/strings/match.h"
#include "fairdarts/base/check.h"

namespace fairdarts {
namespace {

constexpr uint32_t kOrientationTag = 0x0112;
constexpr uint32_t kShort = 3;  // the type of 16 bits
constexpr size_t kEntryBytes = 12;

// Numbers of 16 and 32 bits in the order that the first two bytes choose; 0
// beyond the end.
class TiffNumbers {
 public:
  explicit TiffNumbers(absl::string_view bytes)
      : bytes_(bytes), little_endian_(absl::StartsWith(bytes, "II")) {}

  uint32_t At(size_t offset, size_t size) const {
    if (offset > bytes_.size() || size > bytes_.size() - offset) return 0;
    uint32_t value = 0;
    for (size_t i = 0; i < size; ++i) {
      const size_t byte = little_endian_ ? size - 1 - i : i;
      value = value << 8 | static_cast<uint8_t>(bytes_[offset + byte]);
    }
    return value;
  }

 private:
  absl::string_view bytes_;
  bool little_endian_;
};

}  // namespace

int ExifOrientation(absl::string_view exif) {
  if (!absl::StartsWith(exif, absl::string_view("II*\0", 4)) &&
      !absl::StartsWith(exif, absl::string_view("MM\0*", 4))) {
    return kUpright;
  }
  const TiffNumbers numbers(exif);
  const size_t directory = numbers.At(4, 4);
  const uint32_t entries = numbers.At(directory, 2);
  for (uint32_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + i * kEntryBytes;
    if (numbers.At(entry, 2) != kOrientationTag) continue;
    const uint32_t value = numbers.At(entry + 8, 2);
    const bool sound = numbers.At(entry + 2, 2) == kShort &&
                       numbers.At(entry + 4, 4) == 1 && value >= 1 &&
                       value <= 8;
    return sound ? static_cast<int>(value) : kUpright;
  }
  return kUpright;
}

Image Upright(Image image, int orientation) {
  FD_CHECK(orientation >= 1 && orientation <= 8) << orientation;
  if (orientation == kUpright) return image;
  const bool transposed = orientation >= 5;
  const bool from_right = orientation == 2 || orientation == 3 ||
                          orientation == 7 || orientation == 8;
  const bool from_bottom = orientation == 3 || orientation == 4 ||
                           orientation == 6 || orientation == 7;
  // Steps in the source for one column and one row of the source.
  const ptrdiff_t channels = image.channels;
  const ptrdiff_t row = channels * image.width;
  const ptrdiff_t along_x = from_right ? -channels : channels;
  const ptrdiff_t along_y = from_bottom ? -row : row;
  const uint8_t* const first = image.pixels.data() +
                               (from_right ? row - channels : 0) +
                               (from_bottom ? row * (image.height - 1) : 0);
  Image turned;
  turned.width = transposed ? image.height : image.width;
  turned.height = transposed ? image.width : image.height;
  turned.channels = image.channels;
  turned.pixels.resize(image.pixels.size());
  uint8_t* to = turned.pixels.data();
  for (int y = 0; y < turned.height; ++y) {
    for (int x = 0; x < turned.width; ++x) {
      const uint8_t* const from = first + (transposed ? y : x) * along_x +
                                  (transposed ? x : y) * along_y;
      for (ptrdiff_t c = 0; c < channels; ++c) *to++ = from[c];
    }
  }
  return turned;
}

}  // namespace fairdarts
