#ifndef FAIRDARTS_IMAGE_JPEG_H_
#define FAIRDARTS_IMAGE_JPEG_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "fairdarts/image/image.h"

namespace fairdarts {

// Whether bytes begin as a JPEG file does.
bool IsJpeg(absl::string_view bytes);

// The pixels of a JPEG file, baseline or progressive, upright (EXIF): grey
// stays grey, CMYK (inverted, as Adobe writes it) becomes RGB, colour profiles
// are ignored. A data error says what is wrong with a file that is not whole or
// in which anything is damaged; what follows its end is not looked at.
absl::StatusOr<Image> DecodeJpeg(absl::string_view bytes);

}  // namespace fairdarts

#endif  // FAIRDARTS_IMAGE_JPEG_H_
