#ifndef TRAINING_DATA_AUGMENT_H_
#define TRAINING_DATA_AUGMENT_H_

// From pixel bytes to what a network sees, in this order (each step of DARTS'
// training transforms, https://arxiv.org/abs/1806.09055):
//   1. pad by 4 black pixels and crop the old size at a random place
//   2. mirror left to right with probability 1/2
//   3. AutoAugment's policy for CIFAR-10 (training/auto_augment/policy.h)
//   4. normalise: (pixel / 255 - mean) / standard deviation
//   5. cutout: a square of zeros whose centre lies anywhere in the image;
//      what sticks out is clipped (https://arxiv.org/abs/1708.04552)
// Black is pixel value 0 before normalising; cutout's zero is the mean colour.

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/random.h"
#include "training/data/dataset.h"
#include "training/data/pixel_rows.h"

namespace fairdarts {

inline constexpr int kCropPadding = 4;

struct AugmentOptions {
  bool crop_and_flip = false;
  bool auto_augment = false;  // for images of 1 or 3 channels
  bool cutout = false;
  // Side of the square in pixels, used when `cutout` is set: rows
  // [y - length / 2, y - length / 2 + length) around the centre's row y.
  int cutout_length = 16;
};

// What one visit does to an image, but for AutoAugment: the pixel (y, x) of the
// result is that of (y + top, x' + left) in the image, x' = width - 1 - x where
// it is mirrored, or black outside; rows [cut_top, cut_bottom) of columns
// [cut_left, cut_right) are zero once they are normalised.
struct Placement {
  int top = 0;
  int left = 0;
  bool flip = false;
  int cut_top = 0;
  int cut_bottom = 0;
  int cut_left = 0;
  int cut_right = 0;
};

// Normalising as one multiplication and one addition of a pixel byte.
struct PixelAffine {
  float scale;
  float offset;  // what black becomes
};

// Thread-safe: everything that is random comes from the caller's stream.
class Augmenter {
 public:
  // A usage error when the cutout length is negative, or when the images are
  // not what AutoAugment takes. Takes shape, mean and standard deviation from
  // the dataset and does not keep it.
  static absl::StatusOr<Augmenter> Create(const AugmentOptions& options,
                                          const Dataset& dataset);

  // Reads an image [C][H][W] and writes floats [C][H][W]. The offsets of crop,
  // flip and cutout are the stream's next five elements and what AutoAugment
  // does the five behind them, whatever the options, so that switching one step
  // off leaves what the others do.
  void Apply(const uint8_t* image, RandomStream stream, float* out) const;

  // The part of Apply() that is left to the host where a device does the rest
  // (device_augment.h): writes bytes [C][H][W] and says how they are placed and
  // cut. With AutoAugment these are cropped and mirrored already, since its
  // operations come after.
  Placement Prepare(const uint8_t* image, RandomStream stream,
                    uint8_t* bytes) const;

  // One for each channel.
  const std::vector<PixelAffine>& affine() const { return affine_; }

 private:
  Augmenter(const AugmentOptions& options, const Dataset& dataset);

  // Draws the first five numbers.
  Placement Draw(RandomStream& stream) const;
  // Writes the bytes of a crop; nothing is cut.
  void CropBytes(const uint8_t* image, const Placement& crop,
                 uint8_t* out) const;
  // Crop, mirror and AutoAugment, of which the last draws: `bytes` has room
  // for two images, of which the first is the result.
  void CropAndAutoAugment(const uint8_t* image, RandomStream& stream,
                          Placement& placement, uint8_t* bytes) const;

  AugmentOptions options_;
  int height_;
  int width_;
  std::vector<PixelAffine> affine_;
  PixelRowsFunction convert_rows_;
};

// The stream of one visit to one sample. `round` tells visits apart: the epoch
// where each epoch sees a sample once, the global step where batches are drawn
// anew at each step.
RandomStream AugmentStream(absl::string_view purpose, uint64_t seed,
                           int64_t round, int64_t sample);

}  // namespace fairdarts

#endif  // TRAINING_DATA_AUGMENT_H_
