#ifndef FAIRDARTS_IMAGE_PNG_H_
#define FAIRDARTS_IMAGE_PNG_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "fairdarts/image/image.h"

namespace fairdarts {

// Whether bytes begin as a PNG file does.
bool IsPng(absl::string_view bytes);

// The pixels of a PNG file as eight bits a channel, upright (eXIf): grey stays
// grey, palettes become colour, 16 bits are rounded. Transparency is ignored,
// and so are gamma and colour profiles, as in the tools that networks are
// trained with. A data error says what is wrong with a file that is not whole
// or not sound; what follows its end is not looked at.
absl::StatusOr<Image> DecodePng(absl::string_view bytes);

}  // namespace fairdarts

#endif  // FAIRDARTS_IMAGE_PNG_H_
