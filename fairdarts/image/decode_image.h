#ifndef FAIRDARTS_IMAGE_DECODE_IMAGE_H_
#define FAIRDARTS_IMAGE_DECODE_IMAGE_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "fairdarts/image/image.h"

namespace fairdarts {

// The pixels of a PNG or JPEG file, told apart by how they begin; see png.h and
// jpeg.h. Files are taken as hostile: nothing is allocated by a size beyond the
// limits of image.h. Data errors say what is wrong; an environment error where
// there is no memory. The caller knows the name of the file.
absl::StatusOr<Image> DecodeImage(absl::string_view bytes);

}  // namespace fairdarts

#endif  // FAIRDARTS_IMAGE_DECODE_IMAGE_H_
