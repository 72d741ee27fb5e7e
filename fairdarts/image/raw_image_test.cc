#include "fairdarts/image/raw_image.h"

#include <string>

#include "fairdarts/base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAreArray;

TEST(RawImageTest, Layouts) {
  const std::string planes = "rsgtbu";
  const absl::StatusOr<Image> chw =
      RawImage(planes, RawLayout::kChw, 3, /*height=*/1, /*width=*/2);
  ASSERT_THAT(chw, IsOk());
  EXPECT_EQ(chw->width, 2);
  EXPECT_EQ(chw->height, 1);
  EXPECT_EQ(chw->channels, 3);
  EXPECT_THAT(chw->pixels, ElementsAreArray("rgbstu", 6));
  const absl::StatusOr<Image> hwc =
      RawImage("rgbstu", RawLayout::kHwc, 3, 1, 2);
  ASSERT_THAT(hwc, IsOk());
  EXPECT_EQ(hwc->pixels, chw->pixels);
}

TEST(RawImageTest, OtherSizesAreNamed) {
  for (const RawLayout layout : {RawLayout::kChw, RawLayout::kHwc}) {
    for (const size_t size : {0, 5, 7, 12}) {
      const absl::StatusOr<Image> image =
          RawImage(std::string(size, 'x'), layout, 3, 1, 2);
      EXPECT_THAT(image, ExitCodeIs(ExitCode::kData));
      EXPECT_EQ(
          image.status().message(),
          "has " + std::to_string(size) + " bytes; a raw image of 3x1x2 has 6");
    }
  }
}

}  // namespace
}  // namespace fairdarts
