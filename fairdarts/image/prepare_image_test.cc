#include "fairdarts/image/prepare_image.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "fairdarts/image/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;

const ImageFixtures& Golden() {
  static const auto* const golden = new ImageFixtures;
  return *golden;
}

NetworkConfig Network(NetworkConfig::Kind kind, int channels, int size) {
  NetworkConfig network;
  network.kind = kind;
  network.image_channels = channels;
  network.image_size = size;
  return network;
}

NetworkConfig Cifar(int channels, int size) {
  return Network(NetworkConfig::Kind::kCifar, channels, size);
}

NetworkConfig ImageNet(int channels, int size) {
  return Network(NetworkConfig::Kind::kImageNet, channels, size);
}

// Rows become columns.
Image Transposed(const Image& image) {
  Image result = {image.height, image.width, image.channels, {}};
  for (int y = 0; y < result.height; ++y) {
    for (int x = 0; x < result.width; ++x) {
      for (int c = 0; c < image.channels; ++c) {
        result.pixels.push_back(
            image.pixels[(x * image.width + y) * image.channels + c]);
      }
    }
  }
  return result;
}

TEST(PrepareImageTest, ImageNetTakesTheMiddleAsTheReferenceDoes) {
  const Image wide = Golden().Pixels("source");
  const std::vector<std::string> names = Golden().Names("centre/");
  ASSERT_EQ(names.size(), 10u);
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const Image expected = Golden().Pixels(absl::StrCat("centre/", name));
    const Image source = name[0] == 'w' ? wide : Transposed(wide);
    const absl::StatusOr<Image> image =
        FitImage(source, ImageNet(3, expected.width));
    ASSERT_THAT(image, IsOk());
    EXPECT_EQ(image->pixels, expected.pixels);
  }
}

TEST(PrepareImageTest, CifarTakesTheWholeImage) {
  const Image source = Golden().Pixels("source");
  for (const int size : {1, 8, 32}) {
    const absl::StatusOr<Image> image = FitImage(source, Cifar(3, size));
    ASSERT_THAT(image, IsOk());
    EXPECT_EQ(
        image->pixels,
        Golden().Pixels(absl::StrCat("resized/", size, "x", size)).pixels);
  }
}

TEST(PrepareImageTest, AnImageOfTheRightSizeStaysAsItIs) {
  const Image source = Golden().Pixels("resized/32x32");
  for (const NetworkConfig& network : {Cifar(3, 32), ImageNet(3, 32)}) {
    const absl::StatusOr<Image> image = FitImage(source, network);
    ASSERT_THAT(image, IsOk());
    EXPECT_EQ(image->pixels, source.pixels);
  }
}

TEST(PrepareImageTest, ColourToGreyIsTheReferences) {
  // Of the network's size, so that only the channels change.
  Image source = Golden().Pixels("source");
  Image luma = Golden().Pixels("luma");
  source.height = source.width = luma.height = luma.width = 23;
  source.pixels.resize(23 * 23 * 3);
  luma.pixels.resize(23 * 23);
  const absl::StatusOr<Image> image = FitImage(source, Cifar(1, 23));
  ASSERT_THAT(image, IsOk());
  EXPECT_EQ(image->channels, 1);
  EXPECT_EQ(image->pixels, luma.pixels);
}

TEST(PrepareImageTest, GreyIsRepeated) {
  const Image grey = {2, 2, 1, {1, 2, 3, 4}};
  const absl::StatusOr<Image> image = FitImage(grey, Cifar(3, 2));
  ASSERT_THAT(image, IsOk());
  EXPECT_EQ(image->channels, 3);
  EXPECT_THAT(image->pixels, ElementsAre(1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4));
  // And is its own luma.
  const absl::StatusOr<Image> back = FitImage(*image, Cifar(1, 2));
  ASSERT_THAT(back, IsOk());
  EXPECT_EQ(back->pixels, grey.pixels);
}

TEST(PrepareImageTest, OtherChannelsAreRefused) {
  const Image grey = {1, 1, 1, {1}};
  const absl::StatusOr<Image> image = FitImage(grey, Cifar(4, 1));
  EXPECT_THAT(image, ExitCodeIs(ExitCode::kUsage));
  EXPECT_THAT(image, StatusIs(absl::StatusCode::kInvalidArgument,
                              "has 1 channel; the network takes 4"));
  EXPECT_THAT(FitImage({1, 1, 4, {1, 2, 3, 4}}, Cifar(4, 1)), IsOk());
}

TEST(PrepareImageTest, NormalisesPlaneByPlane) {
  ModelDescription model;
  model.network = Cifar(3, 2);
  model.normalization = {{0.5, 0.25, 0}, {0.5, 2, 0.1}};
  const Image image = {
      2, 2, 3, {0, 1, 2, 64, 65, 66, 128, 129, 130, 253, 254, 255}};
  std::vector<float> input(12);
  ASSERT_THAT(PrepareImage(image, model, absl::MakeSpan(input)), IsOk());
  for (int c = 0; c < 3; ++c) {
    for (int i = 0; i < 4; ++i) {
      const double expected =
          (image.pixels[3 * i + c] / 255.0 - model.normalization.mean[c]) /
          model.normalization.std[c];
      // Rounded once, to the nearest float.
      EXPECT_NEAR(
          input[4 * c + i], expected,
          std::abs(expected) * std::numeric_limits<float>::epsilon() / 2)
          << c << " " << i;
    }
  }
}

}  // namespace
}  // namespace fairdarts
