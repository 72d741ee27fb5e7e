// Models and pictures for classify_cli_test.sh.
//
// usage: make_classify_case FOLDER

#include <string>

#include "absl/strings/string_view.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/file.h"
#include "fairdarts/classifier/testing.h"
#include "fairdarts/image/image.h"
#include "fairdarts/image/testing.h"

int main(int argc, char** argv) {
  FD_CHECK_EQ(argc, 2);
  const std::string folder = argv[1];
  const auto write = [&](const char* name, absl::string_view bytes) {
    FD_CHECK(fairdarts::WriteFileAtomic(folder + "/" + name, bytes).ok());
  };
  const auto pixels = [](const fairdarts::Image& image) {
    return std::string(image.pixels.begin(), image.pixels.end());
  };
  fairdarts::WriteTestModel(folder + "/grey.safetensors",
                            fairdarts::TestModel(1));
  fairdarts::WriteTestModel(folder + "/colour.safetensors",
                            fairdarts::TestModel(3));
  const fairdarts::Image grey = fairdarts::GreySquares();
  write("grey.png", fairdarts::EncodedPng(grey));
  write("grey.jpg", fairdarts::EncodedJpeg(grey));
  write("grey.raw", pixels(grey));
  const fairdarts::Image colour = fairdarts::ColourPicture();
  write("colour.png", fairdarts::EncodedPng(colour));
  write("colour.jpg", fairdarts::EncodedJpeg(colour));
  write("colour.chw", fairdarts::PlanesOf(colour));
  write("colour.hwc", pixels(colour));
  return 0;
}
