#include "fairdarts/image/orientation.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAreArray;

std::string Bytes(const std::vector<int>& values) {
  return std::string(values.begin(), values.end());
}

// A directory of one other entry and of the orientation, in both byte orders.
std::string LittleEndian(int orientation) {
  return Bytes({'I', 'I', 42, 0, 8, 0, 0, 0,                        //
                2,   0,                                             //
                0,   1,   3,  0, 1, 0, 0, 0, 64,          0, 0, 0,  //
                18,  1,   3,  0, 1, 0, 0, 0, orientation, 0, 0, 0});
}

std::string BigEndian(int orientation) {
  return Bytes({'M', 'M', 0, 42, 0, 0, 0, 8,                        //
                0,   2,                                             //
                1,   0,   0, 3,  0, 0, 0, 1, 0, 64,          0, 0,  //
                1,   18,  0, 3,  0, 0, 0, 1, 0, orientation, 0, 0});
}

TEST(OrientationTest, IsReadInBothByteOrders) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    EXPECT_EQ(ExifOrientation(LittleEndian(orientation)), orientation);
    EXPECT_EQ(ExifOrientation(BigEndian(orientation)), orientation);
  }
}

TEST(OrientationTest, NonsenseIsUpright) {
  EXPECT_EQ(ExifOrientation(LittleEndian(0)), kUpright);
  EXPECT_EQ(ExifOrientation(LittleEndian(9)), kUpright);
  std::string wrong_type = LittleEndian(6);
  wrong_type[24] = 4;
  EXPECT_EQ(ExifOrientation(wrong_type), kUpright);
  std::string wrong_count = LittleEndian(6);
  wrong_count[26] = 2;
  EXPECT_EQ(ExifOrientation(wrong_count), kUpright);
  std::string mixed = LittleEndian(6);
  mixed[1] = 'M';
  EXPECT_EQ(ExifOrientation(mixed), kUpright);
  EXPECT_EQ(ExifOrientation(""), kUpright);
}

TEST(OrientationTest, OffsetsBeyondTheEndAreUpright) {
  std::string far = LittleEndian(6);
  far[7] = '\xFF';
  EXPECT_EQ(ExifOrientation(far), kUpright);
  std::string many = LittleEndian(6);
  many[8] = many[9] = '\xFF';
  many[22] = 19;  // the tag
  EXPECT_EQ(ExifOrientation(many), kUpright);
}

TEST(OrientationTest, EveryPrefixIsUprightUntilTheValueIsThere) {
  const std::string exif = LittleEndian(6);
  for (size_t size = 0; size <= exif.size(); ++size) {
    EXPECT_EQ(ExifOrientation(exif.substr(0, size)),
              size < exif.size() - 2 ? kUpright : 6)
        << size;
  }
}

// 1 2 3
// 4 5 6, as EXIF describes the eight: where row 0 and column 0 are to be seen.
TEST(OrientationTest, TurnsAndMirrors) {
  const std::vector<std::vector<int>> expected = {
      {1, 2, 3, 4, 5, 6}, {3, 2, 1, 6, 5, 4}, {6, 5, 4, 3, 2, 1},
      {4, 5, 6, 1, 2, 3}, {1, 4, 2, 5, 3, 6}, {4, 1, 5, 2, 6, 3},
      {6, 3, 5, 2, 4, 1}, {3, 6, 2, 5, 1, 4}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Image turned = Upright({3, 2, 1, {1, 2, 3, 4, 5, 6}}, orientation);
    EXPECT_EQ(turned.width, orientation < 5 ? 3 : 2) << orientation;
    EXPECT_EQ(turned.height, orientation < 5 ? 2 : 3) << orientation;
    EXPECT_THAT(turned.pixels, ElementsAreArray(expected[orientation - 1]))
        << orientation;
  }
}

TEST(OrientationTest, PixelsStayWhole) {
  const Image turned = Upright({2, 1, 3, {1, 2, 3, 4, 5, 6}}, 6);
  EXPECT_THAT(turned.pixels, ElementsAreArray({1, 2, 3, 4, 5, 6}));
  EXPECT_THAT(Upright({2, 1, 3, {1, 2, 3, 4, 5, 6}}, 2).pixels,
              ElementsAreArray({4, 5, 6, 1, 2, 3}));
}

}  // namespace
}  // namespace fairdarts
