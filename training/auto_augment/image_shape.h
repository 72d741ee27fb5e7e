#ifndef TRAINING_AUTO_AUGMENT_IMAGE_SHAPE_H_
#define TRAINING_AUTO_AUGMENT_IMAGE_SHAPE_H_

// The images of this folder: bytes, channel by channel, row by row, without
// gaps, [channels][height][width].

#include <cstddef>

namespace fairdarts {

// No side is longer, so that rotation's 16.16 fixed point holds.
inline constexpr int kMaxImageSide = 16384;

struct ImageShape {
  int channels = 3;  // 3 (red, green, blue) or 1 (grey)
  int height = 0;    // 1 .. kMaxImageSide
  int width = 0;     // 1 .. kMaxImageSide

  ptrdiff_t plane() const { return static_cast<ptrdiff_t>(height) * width; }
  ptrdiff_t bytes() const { return channels * plane(); }
};

}  // namespace fairdarts

#endif  // TRAINING_AUTO_AUGMENT_IMAGE_SHAPE_H_
