#ifndef FAIRDARTS_IMAGE_TESTING_H_
#define FAIRDARTS_IMAGE_TESTING_H_

// For tests: the files and pixels of tests/golden/data/images.safetensors, and
// files of other pixels.

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "fairdarts/base/safetensors.h"
#include "fairdarts/image/image.h"

namespace fairdarts {

// Aborts with a reason where something is not there.
class ImageFixtures {
 public:
  ImageFixtures();

  // The names of the tensors that begin with `prefix`, without it.
  std::vector<std::string> Names(absl::string_view prefix) const;
  // A tensor [height, width, channels].
  Image Pixels(absl::string_view name) const;
  // The bytes of an encoded file.
  std::string File(absl::string_view name) const;

 private:
  SafetensorsFile file_;
};

// A PNG file of the pixels.
std::string EncodedPng(const Image& image);
// A JPEG file of the best quality. Exact for grey squares of 8x8 pixels, each
// of one value.
std::string EncodedJpeg(const Image& image);

}  // namespace fairdarts

#endif  // FAIRDARTS_IMAGE_TESTING_H_
