#include "fairdarts/image/resample.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fairdarts/image/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fairdarts {
namespace {

const ImageFixtures& Golden() {
  static const auto* const golden = new ImageFixtures;
  return *golden;
}

TEST(ResampleTest, IsTheReferenceToTheBit) {
  const Image source = Golden().Pixels("source");
  const std::vector<std::string> sizes = Golden().Names("resized/");
  ASSERT_GE(sizes.size(), 7u);
  for (const std::string& size : sizes) {
    SCOPED_TRACE(size);
    const Image expected = Golden().Pixels(absl::StrCat("resized/", size));
    const Image image = Resample(source, expected.width, expected.height,
                                 {0, 0, expected.width, expected.height});
    EXPECT_EQ(image.width, expected.width);
    EXPECT_EQ(image.height, expected.height);
    EXPECT_EQ(image.channels, 3);
    EXPECT_EQ(image.pixels, expected.pixels);
  }
}

TEST(ResampleTest, WhereTheReferenceGoesAlongTheColumnsFirst) {
  // Either is off by at most a half for each pass, so they differ by at most 2.
  const Image source = Golden().Pixels("source");
  const std::vector<std::string> sizes = Golden().Names("columns_first/");
  ASSERT_EQ(sizes.size(), 2u);
  for (const std::string& size : sizes) {
    const Image expected =
        Golden().Pixels(absl::StrCat("columns_first/", size));
    const Image image = Resample(source, expected.width, expected.height,
                                 {0, 0, expected.width, expected.height});
    ASSERT_EQ(image.pixels.size(), expected.pixels.size());
    for (size_t i = 0; i < image.pixels.size(); ++i) {
      ASSERT_NEAR(image.pixels[i], expected.pixels[i], 2) << size << " " << i;
    }
  }
}

// The definition in one dimension, in double and without rounding.
double Definition(const std::vector<uint8_t>& row, int width, int x) {
  const double scale = static_cast<double>(row.size()) / width;
  const double radius = std::max(scale, 1.0);
  double sum = 0;
  double weights = 0;
  for (size_t i = 0; i < row.size(); ++i) {
    const double distance = (i + 0.5) - (x + 0.5) * scale;
    const double weight = std::max(0.0, 1 - std::abs(distance) / radius);
    sum += weight * row[i];
    weights += weight;
  }
  return sum / weights;
}

TEST(ResampleTest, IsTheDefinitionRounded) {
  // Rows of one pixel in height are rounded once, by at most a half; weights
  // of 22 bits are off by at most 2^-23 each, which `taps` of them and bytes
  // make 255 * taps * 2^-23.
  const Image source = Golden().Pixels("source");
  std::vector<uint8_t> row;
  for (size_t i = 0; i < 97; ++i) row.push_back(source.pixels[3 * i]);
  const double tolerance = 0.5 + 255 * 97 * std::ldexp(1.0, -23);
  for (const int width : {1, 2, 3, 50, 96, 97, 98, 200, 1000}) {
    const Image image = Resample({97, 1, 1, row}, width, 1, {0, 0, width, 1});
    const Image upright = Resample({1, 97, 1, row}, 1, width, {0, 0, 1, width});
    EXPECT_EQ(image.pixels, upright.pixels);
    for (int x = 0; x < width; ++x) {
      EXPECT_NEAR(image.pixels[x], Definition(row, width, x), tolerance)
          << x << " of " << width;
    }
  }
}

TEST(ResampleTest, AWindowIsAPartOfTheWhole) {
  const Image source = Golden().Pixels("source");
  for (const auto& [width, height] :
       std::vector<std::pair<int, int>>{{9, 40}, {45, 11}}) {
    const Image whole = Resample(source, width, height, {0, 0, width, height});
    const Window window = {3, 5, 4, 6};
    const Image part = Resample(source, width, height, window);
    for (int y = 0; y < window.height; ++y) {
      for (int i = 0; i < 3 * window.width; ++i) {
        EXPECT_EQ(
            part.pixels[3 * window.width * y + i],
            whole.pixels[3 * (width * (y + window.top) + window.left) + i]);
      }
    }
  }
}

TEST(ResampleTest, OneColourStaysOne) {
  for (const int value : {0, 1, 127, 254, 255}) {
    const Image image = {41, 17, 1,
                         std::vector<uint8_t>(41 * 17, uint8_t(value))};
    for (const int size : {1, 5, 16, 33, 100}) {
      EXPECT_THAT(Resample(image, size, size, {0, 0, size, size}).pixels,
                  testing::Each(value));
    }
  }
}

TEST(ResampleTest, ExtremeSidesCostWhatTheWindowNeeds) {
  const Image image = {1, 65535, 1, std::vector<uint8_t>(65535, 7)};
  const Image middle =
      Resample(image, 256, 256 * 65535, {16, 8388000, 224, 224});
  EXPECT_THAT(middle.pixels, testing::Each(7));
  EXPECT_THAT(Resample(image, 32, 32, {0, 0, 32, 32}).pixels, testing::Each(7));
}

}  // namespace
}  // namespace fairdarts
