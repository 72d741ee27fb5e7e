#include "fairdarts/image/jpeg.h"

#include <turbojpeg.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "fairdarts/image/orientation.h"

namespace fairdarts {
namespace {

// What the EXIF segment of a JPEG file holds, or nothing. Segments are
// FF, kind, a big-endian size that counts itself, data.
absl::string_view FindExif(absl::string_view rest) {
  constexpr absl::string_view kExif("Exif\0\0", 6);
  constexpr uint8_t kStartOfScan = 0xDA;
  constexpr uint8_t kApp1 = 0xE1;
  rest.remove_prefix(2);  // start of image
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(rest[i]); };
  while (rest.size() >= 4 && byte(0) == 0xFF && byte(1) != kStartOfScan) {
    if (byte(1) == 0xFF) {  // filled up before a segment
      rest.remove_prefix(1);
      continue;
    }
    const size_t size = size_t{byte(2)} << 8 | byte(3);
    if (size < 2 || size > rest.size() - 2) break;
    const absl::string_view data = rest.substr(4, size - 2);
    if (byte(1) == kApp1 && absl::StartsWith(data, kExif)) {
      return data.substr(kExif.size());
    }
    rest.remove_prefix(2 + size);
  }
  return "";
}

// value * scale / 255, rounded, for numbers of eight bits.
int ScaledByte(int value, int scale) {
  return (value * scale * 2 + 255) / (2 * 255);
}

// In place; both are inverted: 255 is no ink.
void CmykToRgb(Image& image) {
  const size_t pixels = image.pixels.size() / 4;
  for (size_t i = 0; i < pixels; ++i) {
    const uint8_t* const cmyk = &image.pixels[4 * i];
    const int black = cmyk[3];
    for (int c = 0; c < 3; ++c) {
      image.pixels[3 * i + c] =
          static_cast<uint8_t>(black - ScaledByte(255 - cmyk[c], black));
    }
  }
  image.channels = 3;
  image.pixels.resize(3 * pixels);
}

}  // namespace

bool IsJpeg(absl::string_view bytes) {
  return absl::StartsWith(bytes, "\xFF\xD8\xFF");
}

absl::StatusOr<Image> DecodeJpeg(absl::string_view bytes) {
  const auto destroy = [](void* handle) { tjDestroy(handle); };
  const std::unique_ptr<void, decltype(destroy)> decoder(tjInitDecompress(),
                                                         destroy);
  if (decoder == nullptr) return EnvironmentError("not enough memory");
  const auto error = [&] {
    return DataError(
        absl::StrCat("is no sound JPEG: ", tjGetErrorStr2(decoder.get())));
  };
  const auto* const data = reinterpret_cast<const uint8_t*>(bytes.data());
  Image image;
  int subsampling = 0;
  int colour_space = 0;
  if (tjDecompressHeader3(decoder.get(), data, bytes.size(), &image.width,
                          &image.height, &subsampling, &colour_space) != 0) {
    return error();
  }
  FD_RETURN_IF_ERROR(CheckImageSize(image.width, image.height));
  const bool grey = colour_space == TJCS_GRAY;
  const bool cmyk = colour_space == TJCS_CMYK || colour_space == TJCS_YCCK;
  image.channels = grey ? 1 : cmyk ? 4 : 3;
  image.pixels.resize(size_t{1} * image.width * image.height * image.channels);
  // Damage that the decoder can guess over is an error here: what a network
  // says to half an image is worth nothing. The limit of scans keeps a small
  // file from asking for hours.
  constexpr int kFlags =
      TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS;
  if (tjDecompress2(decoder.get(), data, bytes.size(), image.pixels.data(),
                    image.width, /*pitch=*/0, image.height,
                    grey   ? TJPF_GRAY
                    : cmyk ? TJPF_CMYK
                           : TJPF_RGB,
                    kFlags) != 0) {
    return error();
  }
  if (cmyk) CmykToRgb(image);
  return Upright(std::move(image), ExifOrientation(FindExif(bytes)));
}

}  // namespace fairdarts
