#ifndef TRAINING_AUTO_AUGMENT_COLOUR_H_
#define TRAINING_AUTO_AUGMENT_COLOUR_H_

// Changes of pixel values with the bytes of Pillow 13 (ImageEnhance, ImageOps).
//
// All functions read `in` and write `out`, both of `shape`, which must not
// overlap. They allocate nothing and may run in several threads.
//
// The first four blend a plainer image into the original:
//   out = plain + factor * (original - plain),
// in single precision, cut to [0, 255] and truncated; factor 1 is the original.
// Grey is (19595 red + 38470 green + 7471 blue + 32768) >> 16; an image of one
// channel is its own grey.

#include <cstdint>

#include "training/auto_augment/image_shape.h"

namespace fairdarts {

// Plain: the grey of each pixel.
void Color(const ImageShape& shape, float factor, const uint8_t* in,
           uint8_t* out);

// Plain: the mean grey of the image, rounded, everywhere.
void Contrast(const ImageShape& shape, float factor, const uint8_t* in,
              uint8_t* out);

// Plain: black.
void Brightness(const ImageShape& shape, float factor, const uint8_t* in,
                uint8_t* out);

// Plain: the weighted mean of each pixel (5) and its eight neighbours (1 each),
// rounded; the outermost pixels, and images with a side below 3, stay as they
// are.
void Sharpness(const ImageShape& shape, float factor, const uint8_t* in,
               uint8_t* out);

// Clears all but the upper `bits` (1 .. 8) bits.
void Posterize(const ImageShape& shape, int bits, const uint8_t* in,
               uint8_t* out);

// v becomes 255 - v from the threshold on.
void Solarize(const ImageShape& shape, double threshold, const uint8_t* in,
              uint8_t* out);

// v becomes 255 - v.
void Invert(const ImageShape& shape, const uint8_t* in, uint8_t* out);

// In each channel by itself, stretches the values so that the least becomes 0
// and the largest 255.
void AutoContrast(const ImageShape& shape, const uint8_t* in, uint8_t* out);

// In each channel by itself, makes values equally frequent: v becomes
// (step / 2 + pixels below v) / step in whole numbers, at most 255, where step
// is 1/255 of the pixels below the largest value. A channel with step 0 stays.
void Equalize(const ImageShape& shape, const uint8_t* in, uint8_t* out);

}  // namespace fairdarts

#endif  // TRAINING_AUTO_AUGMENT_COLOUR_H_
