#include "fairdarts/image/testing.h"

#include <png.h>
#include <turbojpeg.h>

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "tests/golden/golden_data.h"

namespace fairdarts {
namespace {

SafetensorsFile Load() {
  absl::StatusOr<SafetensorsFile> file =
      SafetensorsFile::Load(GoldenPath("images.safetensors"));
  FD_CHECK(file.ok()) << file.status();
  return *std::move(file);
}

TensorView Find(const SafetensorsFile& file, absl::string_view name) {
  const absl::StatusOr<TensorView> tensor = file.Find(name);
  FD_CHECK(tensor.ok()) << tensor.status();
  return *tensor;
}

}  // namespace

ImageFixtures::ImageFixtures() : file_(Load()) {}

std::vector<std::string> ImageFixtures::Names(absl::string_view prefix) const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : file_.tensors()) {
    if (absl::StartsWith(name, prefix)) {
      names.push_back(name.substr(prefix.size()));
    }
  }
  return names;
}

Image ImageFixtures::Pixels(absl::string_view name) const {
  const TensorView tensor = Find(file_, name);
  FD_CHECK(tensor.shape.size() == 3 && tensor.dtype == DType::kU8);
  Image image;
  image.height = static_cast<int>(tensor.shape[0]);
  image.width = static_cast<int>(tensor.shape[1]);
  image.channels = static_cast<int>(tensor.shape[2]);
  image.pixels.assign(tensor.data.begin(), tensor.data.end());
  return image;
}

std::string ImageFixtures::File(absl::string_view name) const {
  return std::string(Find(file_, absl::StrCat("files/", name)).data);
}

std::string EncodedPng(const Image& image) {
  png_image png = {};
  png.version = PNG_IMAGE_VERSION;
  png.width = image.width;
  png.height = image.height;
  png.format = image.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  std::string file(PNG_IMAGE_PNG_SIZE_MAX(png), '\0');
  png_alloc_size_t size = file.size();
  FD_CHECK(png_image_write_to_memory(&png, &file[0], &size, 0,
                                     image.pixels.data(), 0, nullptr));
  file.resize(size);
  return file;
}

std::string EncodedJpeg(const Image& image) {
  const tjhandle encoder = tjInitCompress();
  unsigned char* bytes = nullptr;
  unsigned long size = 0;  // NOLINT: turbojpeg's type
  const bool grey = image.channels == 1;
  FD_CHECK(tjCompress2(encoder, image.pixels.data(), image.width, 0,
                       image.height, grey ? TJPF_GRAY : TJPF_RGB, &bytes, &size,
                       grey ? TJSAMP_GRAY : TJSAMP_444, /*quality=*/100,
                       TJFLAG_ACCURATEDCT) == 0);
  std::string file(reinterpret_cast<const char*>(bytes), size);
  tjFree(bytes);
  tjDestroy(encoder);
  return file;
}

}  // namespace fairdarts
