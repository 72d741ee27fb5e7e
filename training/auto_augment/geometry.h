#ifndef TRAINING_AUTO_AUGMENT_GEOMETRY_H_
#define TRAINING_AUTO_AUGMENT_GEOMETRY_H_

// Shear, translation and rotation with the bytes of Pillow 13
// (Image.transform with AFFINE and Image.rotate).
//
// Output pixel (x, y) looks at the source point of its centre,
//   (a (x + 1/2) + b (y + 1/2) + c,  d (x + 1/2) + e (y + 1/2) + f),
// and is kOutside in every channel where that point is outside the image. All
// functions read `in` and write `out`, both of `shape`, which must not overlap.
// They allocate nothing and may run in several threads.

#include <cstdint>

#include "training/auto_augment/image_shape.h"

namespace fairdarts {

// What lies around an image: middle grey.
inline constexpr uint8_t kOutside = 128;

// The largest factor of a shear to either side.
inline constexpr double kMaxShear = 0.5;

// a = e = 1, b = factor: each row slides by factor times its height. Bicubic:
// the cubic convolution with parameter -1 over four neighbours in the row, the
// first and last pixel repeated beyond the border, truncated to a byte.
void ShearX(const ImageShape& shape, double factor, const uint8_t* in,
            uint8_t* out);

// a = e = 1, d = factor: the same for columns.
void ShearY(const ImageShape& shape, double factor, const uint8_t* in,
            uint8_t* out);

// a = e = 1, c = pixels: the content moves left by `pixels`, rounded to whole
// ones, halves upwards (nearest neighbour).
void TranslateX(const ImageShape& shape, double pixels, const uint8_t* in,
                uint8_t* out);

// a = e = 1, f = pixels: the content moves up.
void TranslateY(const ImageShape& shape, double pixels, const uint8_t* in,
                uint8_t* out);

// Counter-clockwise around the middle of the image, nearest neighbour in 16.16
// fixed point. The angle is given by its cosine and sine, both above 0 and
// rounded to 15 decimals, as Pillow rounds them.
void Rotate(const ImageShape& shape, double cosine, double sine,
            const uint8_t* in, uint8_t* out);

}  // namespace fairdarts

#endif  // TRAINING_AUTO_AUGMENT_GEOMETRY_H_
