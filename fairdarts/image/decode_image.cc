#include "fairdarts/image/decode_image.h"

#include <new>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "fairdarts/image/jpeg.h"
#include "fairdarts/image/png.h"

namespace fairdarts {

absl::StatusOr<Image> DecodeImage(absl::string_view bytes) {
  try {
    if (IsPng(bytes)) return DecodePng(bytes);
    if (IsJpeg(bytes)) return DecodeJpeg(bytes);
  } catch (const std::bad_alloc&) {
    return EnvironmentError("not enough memory for its pixels");
  }
  if (bytes.empty()) return DataError("is empty");
  constexpr size_t kShown = 8;
  return DataError(absl::StrCat(
      "is neither PNG nor JPEG: it begins with the bytes ",
      absl::BytesToHexString(bytes.substr(0, kShown)), " (hexadecimal)"));
}

}  // namespace fairdarts
