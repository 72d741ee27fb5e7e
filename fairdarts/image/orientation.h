#ifndef FAIRDARTS_IMAGE_ORIENTATION_H_
#define FAIRDARTS_IMAGE_ORIENTATION_H_

// Which way up a picture is: tag 0x0112 of EXIF 2.3, in which cameras note how
// they were held.

#include "absl/strings/string_view.h"
#include "fairdarts/image/image.h"

namespace fairdarts {

inline constexpr int kUpright = 1;

// The orientation, 1 to 8, that EXIF data give (a TIFF header and what
// follows); kUpright where they give none or are damaged, which says nothing
// about the pixels.
int ExifOrientation(absl::string_view exif);

// The image turned and mirrored to how it is to be seen.
Image Upright(Image image, int orientation);

}  // namespace fairdarts

#endif  // FAIRDARTS_IMAGE_ORIENTATION_H_
