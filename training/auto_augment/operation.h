#ifndef TRAINING_AUTO_AUGMENT_OPERATION_H_
#define TRAINING_AUTO_AUGMENT_OPERATION_H_

// The image operations of AutoAugment's CIFAR-10 policy with their magnitudes
// (Cubuk and others, AutoAugment: Learning Augmentation Policies from Data,
// https://arxiv.org/abs/1805.09501, tables 6 and 7). geometry.h and colour.h
// say what each computes.

#include <array>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "training/auto_augment/image_shape.h"

namespace fairdarts {

enum class ImageOperation {
  kShearX,
  kShearY,
  kTranslateX,
  kTranslateY,
  kRotate,
  kColor,
  kPosterize,
  kSolarize,
  kContrast,
  kSharpness,
  kBrightness,
  kAutoContrast,
  kEqualize,
  kInvert,
};

inline constexpr std::array<ImageOperation, 14> kImageOperations = {
    ImageOperation::kShearX,     ImageOperation::kShearY,
    ImageOperation::kTranslateX, ImageOperation::kTranslateY,
    ImageOperation::kRotate,     ImageOperation::kColor,
    ImageOperation::kPosterize,  ImageOperation::kSolarize,
    ImageOperation::kContrast,   ImageOperation::kSharpness,
    ImageOperation::kBrightness, ImageOperation::kAutoContrast,
    ImageOperation::kEqualize,   ImageOperation::kInvert,
};

// "shearX" and so on.
absl::string_view ImageOperationName(ImageOperation operation);

// Whether the operation takes a random sign. Rotation does not: it turns
// counter-clockwise only.
bool HasSign(ImageOperation operation);

// Magnitudes are ten even steps, level 0 being the weakest:
//   shear                                     0 .. 0.3
//   translate                                 0 .. 150/331 of the side
//   rotate                                    0 .. 30 degrees
//   colour, contrast, sharpness, brightness   factor 1 -+ 0 .. 0.9
//   posterize                                 8 .. 4 bits, rounded
//   solarize                                  threshold 256 .. 0
//   autocontrast, equalize, invert            none: the level is ignored
inline constexpr int kMagnitudeLevels = 10;

// Applies an operation at a level in [0, kMagnitudeLevels). `negative` turns
// the sign of operations that have one. `in` and `out` are of `shape` and must
// not overlap. Allocates nothing; may run in several threads.
void ApplyImageOperation(ImageOperation operation, int level, bool negative,
                         const ImageShape& shape, const uint8_t* in,
                         uint8_t* out);

}  // namespace fairdarts

#endif  // TRAINING_AUTO_AUGMENT_OPERATION_H_
