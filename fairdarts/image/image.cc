#include "fairdarts/image/image.h"

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"

namespace fairdarts {

absl::Status CheckImageSize(int64_t width, int64_t height) {
  if (width < 1 || height < 1 || width > kMaxImageSide ||
      height > kMaxImageSide) {
    return DataError(absl::StrCat("is ", width, "x", height,
                                  " pixels; each side has to be 1 to ",
                                  kMaxImageSide));
  }
  if (width * height > kMaxImagePixels) {
    return DataError(absl::StrCat("is ", width, "x", height,
                                  " pixels; at most ", kMaxImagePixels,
                                  " in all are read"));
  }
  return absl::OkStatus();
}

}  // namespace fairdarts
