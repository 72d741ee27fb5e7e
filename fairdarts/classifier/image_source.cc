#include "fairdarts/classifier/image_source.h"

#include "absl/strings/str_cat.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "fairdarts/base/user_path.h"

namespace fairdarts {
namespace {

absl::StatusOr<std::string> ReadAll(std::istream& stream) {
  constexpr size_t kPiece = 1 << 16;
  std::string bytes;
  while (stream.good()) {
    const size_t filled = bytes.size();
    bytes.resize(filled + kPiece);
    stream.read(&bytes[filled], kPiece);
    bytes.resize(filled + stream.gcount());
    if (static_cast<int64_t>(bytes.size()) > kMaxImageFileBytes) {
      return DataError(absl::StrCat("-: has more than the ", kMaxImageFileBytes,
                                    " bytes that an image may have"));
    }
  }
  if (stream.bad()) return DataError("-: cannot read standard input");
  return bytes;
}

}  // namespace

absl::StatusOr<std::string> ReadImageBytes(absl::string_view name,
                                           std::istream& standard_input) {
  if (name == "-") return ReadAll(standard_input);
  return ReadFile(UserPath(name), kMaxImageFileBytes);
}

}  // namespace fairdarts
