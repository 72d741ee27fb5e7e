#include "fairdarts/image/prepare_image.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "fairdarts/image/resample.h"

namespace fairdarts {
namespace {

Image WithLuma(const Image& colour) {
  Image grey = {colour.width, colour.height, 1, {}};
  grey.pixels.resize(colour.pixels.size() / 3);
  for (size_t i = 0; i < grey.pixels.size(); ++i) {
    const uint8_t* const rgb = &colour.pixels[3 * i];
    // .299, .587 and .114 of 65536; they add up to it, so that grey stays.
    grey.pixels[i] = static_cast<uint8_t>(
        (19595 * rgb[0] + 38470 * rgb[1] + 7471 * rgb[2] + 32768) >> 16);
  }
  return grey;
}

Image Repeated(const Image& grey) {
  Image colour = {grey.width, grey.height, 3, {}};
  colour.pixels.reserve(3 * grey.pixels.size());
  for (const uint8_t pixel : grey.pixels) {
    colour.pixels.insert(colour.pixels.end(), 3, pixel);
  }
  return colour;
}

// Half of an even or odd number, ties to even as Python's round().
int HalfOf(int number) {
  return static_cast<int>(std::nearbyint(number / 2.0));
}

Image Scaled(const Image& image, const NetworkConfig& network) {
  const int size = network.image_size;
  if (image.width == size && image.height == size) return image;
  if (network.kind == NetworkConfig::Kind::kCifar) {
    return Resample(image, size, size, {0, 0, size, size});
  }
  const int shorter = std::min(image.width, image.height);
  const int target = size * 256 / 224;
  const auto scaled = [&](int side) {
    return static_cast<int>(int64_t{target} * side / shorter);
  };
  const int width = scaled(image.width);
  const int height = scaled(image.height);
  return Resample(image, width, height,
                  {HalfOf(width - size), HalfOf(height - size), size, size});
}

}  // namespace

absl::StatusOr<Image> FitImage(const Image& image,
                               const NetworkConfig& network) {
  const int wanted = network.image_channels;
  if (image.channels == wanted) return Scaled(image, network);
  if (image.channels == 3 && wanted == 1) {
    return Scaled(WithLuma(image), network);
  }
  if (image.channels == 1 && wanted == 3) {
    return Repeated(Scaled(image, network));
  }
  return UsageError(absl::StrCat(
      "has ", image.channels, image.channels == 1 ? " channel" : " channels",
      "; the network takes ", wanted, ", which only raw pixels can have"));
}

absl::Status PrepareImage(const Image& image, const ModelDescription& model,
                          absl::Span<float> input) {
  FD_ASSIGN_OR_RETURN(const Image fitted, FitImage(image, model.network));
  FD_CHECK_EQ(input.size(), fitted.pixels.size());
  const size_t channels = fitted.channels;
  const size_t plane = fitted.pixels.size() / channels;
  for (size_t c = 0; c < channels; ++c) {
    std::array<float, 256> values;
    for (size_t pixel = 0; pixel < values.size(); ++pixel) {
      values[pixel] = static_cast<float>(
          (static_cast<double>(pixel) / 255 - model.normalization.mean[c]) /
          model.normalization.std[c]);
    }
    for (size_t i = 0; i < plane; ++i) {
      input[c * plane + i] = values[fitted.pixels[i * channels + c]];
    }
  }
  return absl::OkStatus();
}

}  // namespace fairdarts
