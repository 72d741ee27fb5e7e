#include "fairdarts/classifier/testing.h"

#include <cstdint>

#include "absl/status/status.h"
#include "fairdarts/base/check.h"
#include "fairdarts/runtime/testing.h"

namespace fairdarts {

ModelDescription TestModel(int channels) {
  NetworkConfig network;
  network.init_channels = 4;
  network.layers = 3;
  network.classes = 3;
  network.image_size = kTestImageSize;
  network.image_channels = channels;
  ModelDescription model = DescriptionOf(
      "Genotype(normal=[('sep_conv_3x3', 2, 0), ('skip_connect', 2, 1)], "
      "normal_concat=[2], reduce=[('max_pool_3x3', 2, 1)], "
      "reduce_concat=[2])",
      network);
  for (int c = 0; c < channels; ++c) {
    model.normalization.mean[c] = 0.4 + 0.05 * c;
    model.normalization.std[c] = 0.2 + 0.03 * c;
  }
  model.class_names = {"airplane", "bird", "cat"};
  return model;
}

void WriteTestModel(const std::string& path, const ModelDescription& model) {
  const FilledTensors filled(model, /*seed=*/1);
  const absl::Status written = WriteModelFile(path, model, filled.tensors());
  FD_CHECK(written.ok()) << written;
}

Image GreySquares() {
  Image image = {kTestImageSize, kTestImageSize, 1, {}};
  const uint8_t values[2][2] = {{10, 200}, {255, 97}};
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      image.pixels.push_back(values[y / 8][x / 8]);
    }
  }
  return image;
}

Image ColourPicture() {
  Image image = {kTestImageSize, kTestImageSize, 3, {}};
  for (int i = 0; i < 3 * kTestImageSize * kTestImageSize; ++i) {
    image.pixels.push_back(static_cast<uint8_t>(i * 37 + i / 48 * 11));
  }
  return image;
}

std::string PlanesOf(const Image& image) {
  std::string planes;
  for (int c = 0; c < image.channels; ++c) {
    for (size_t i = c; i < image.pixels.size(); i += image.channels) {
      planes += static_cast<char>(image.pixels[i]);
    }
  }
  return planes;
}

}  // namespace fairdarts
