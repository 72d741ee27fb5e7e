#ifndef FAIRDARTS_IMAGE_RESAMPLE_H_
#define FAIRDARTS_IMAGE_RESAMPLE_H_

#include "fairdarts/image/image.h"

namespace fairdarts {

// Pixels from (left, top) on.
struct Window {
  int left = 0;
  int top = 0;
  int width = 0;
  int height = 0;
};

// `window` of the image at a size of width x height, scaled with a triangle
// that is as wide as two pixels of the coarser side (bilinear, antialiased).
// First along the rows, then along the columns, each with weights of 22 bits
// and rounded to a byte: to the bit what Pillow's resize does with BILINEAR,
// and so what networks are evaluated with. (Where an image loses more rows than
// columns, Pillow 13 may begin with the columns and round some values
// otherwise.) Work and memory are those of the window and of what it covers,
// however large width and height are.
Image Resample(const Image& image, int width, int height, const Window& window);

}  // namespace fairdarts

#endif  // FAIRDARTS_IMAGE_RESAMPLE_H_
