#include "training/data/idx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "training/data/testing.h"

namespace fairdarts {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Two images of 2 x 3.
const std::vector<uint8_t>& Values() {
  static const auto* const kValues =
      new std::vector<uint8_t>{0, 1, 2, 3, 4, 5, 250, 251, 252, 253, 254, 255};
  return *kValues;
}

std::string Good() { return IdxBytes({2, 2, 3}, Values()); }

TEST(IdxTest, ReadsPlainAndGzip) {
  for (const std::string& bytes : {Good(), Gzip(Good())}) {
    const auto array = ParseIdx(bytes, 3, "x");
    ASSERT_TRUE(array.ok()) << array.status();
    EXPECT_THAT(array->dimensions, ElementsAre(2, 2, 3));
    EXPECT_EQ(array->values, Values());
  }
}

TEST(IdxTest, ReadsAFile) {
  const std::string folder = FreshFolder("idx_reads");
  WriteTestFile(folder + "/labels.gz", Gzip(IdxBytes({3}, {7, 8, 9})));
  const auto array = ReadIdx(folder + "/labels.gz", 1);
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_THAT(array->values, ElementsAre(7, 8, 9));
}

TEST(IdxTest, RefusesAMissingFile) {
  EXPECT_THAT(ReadIdx("/nowhere/images", 3),
              IsDataError(AllOf(HasSubstr("/nowhere/images"),
                                HasSubstr("No such file"))));
}

TEST(IdxTest, RefusesEveryStrictPrefix) {
  for (const std::string& bytes : {Good(), Gzip(Good())}) {
    for (size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_THAT(ParseIdx(bytes.substr(0, size), 3, "images.idx"),
                  IsDataError(HasSubstr("images.idx: ")))
          << size << " of " << bytes.size() << " bytes";
    }
  }
}

TEST(IdxTest, RefusesAWrongMagic) {
  // Labels where images should be, floats, and what is no idx file at all.
  EXPECT_THAT(ParseIdx(IdxBytes({12}, Values()), 3, "x"),
              IsDataError("x: magic is 0x00000801, should be 0x00000803 "
                          "(unsigned bytes in 3 dimensions)"));
  std::string floats = Good();
  floats[2] = 0x0d;
  EXPECT_THAT(ParseIdx(floats, 3, "x"),
              IsDataError(HasSubstr("magic is 0x00000d03")));
  std::string text = Good();
  text[0] = '{';
  EXPECT_THAT(ParseIdx(text, 3, "x"),
              IsDataError(HasSubstr("magic is 0x7b000803")));
  EXPECT_THAT(ParseIdx(Gzip(text), 3, "x"),
              IsDataError(HasSubstr("magic is 0x7b000803")));
}

TEST(IdxTest, RefusesADimensionOfZero) {
  EXPECT_THAT(ParseIdx(IdxBytes({2, 0, 3}, {}), 3, "x"),
              IsDataError("x: dimension 1 is 0, should be at least 1"));
  EXPECT_THAT(ParseIdx(Gzip(IdxBytes({0}, {})), 1, "x"),
              IsDataError(HasSubstr("dimension 0 is 0")));
}

TEST(IdxTest, RefusesDimensionsThatOverflow) {
  // 2^32 * 2^32 would wrap to 0, the others to something small.
  for (const std::vector<uint32_t>& dimensions :
       std::vector<std::vector<uint32_t>>{{0xffffffff, 0xffffffff, 0xffffffff},
                                          {0x80000000, 0x80000000, 4},
                                          {1 << 16, 1 << 16, 1},
                                          {0xffffffff, 1, 1}}) {
    const std::string bytes = IdxBytes(dimensions, Values());
    EXPECT_THAT(ParseIdx(bytes, 3, "x"), IsDataError(HasSubstr("more than")));
    EXPECT_THAT(ParseIdx(Gzip(bytes), 3, "x"),
                IsDataError(HasSubstr("more than")));
  }
}

TEST(IdxTest, RefusesAnotherSizeThanItsDimensionsAskFor) {
  EXPECT_THAT(ParseIdx(IdxBytes({2, 2, 4}, Values()), 3, "x"),
              IsDataError("x: has 28 bytes, but its dimensions 2 x 2 x 4 ask "
                          "for 32"));
  EXPECT_THAT(ParseIdx(Good() + "!", 3, "x"),
              IsDataError(HasSubstr("has 29 bytes")));
  EXPECT_THAT(ParseIdx(Gzip(IdxBytes({2, 2, 4}, Values())), 3, "x"),
              IsDataError(HasSubstr("holds 12 values, but its dimensions "
                                    "2 x 2 x 4 ask for 16")));
  EXPECT_THAT(ParseIdx(Gzip(Good() + "!"), 3, "x"),
              IsDataError(HasSubstr("more than the 12 values")));
}

TEST(IdxTest, RefusesGzipThatInflatesToLessThanAHeader) {
  EXPECT_THAT(ParseIdx(Gzip(Good().substr(0, 15)), 3, "x"),
              IsDataError(HasSubstr("inflates to 15 bytes")));
}

TEST(IdxTest, AHugeDeclaredSizeTakesNoMemoryBeforeItsValuesArrive) {
  // 2 GiB declared, 12 bytes there: the test would take seconds and memory.
  const auto array =
      ParseIdx(Gzip(IdxBytes({1u << 31}, Values())), 1, "bomb.gz");
  EXPECT_THAT(array, IsDataError(HasSubstr("holds 12 values")));
}

TEST(IdxTest, AGzipBombStopsAtTheDeclaredSize) {
  // 16 MiB of zeros in 16 KiB, with 12 declared.
  const std::string bytes = Good() + std::string(16 << 20, '\0');
  EXPECT_THAT(ParseIdx(Gzip(bytes), 3, "bomb.gz"),
              IsDataError(HasSubstr("more than the 12 values")));
}

TEST(IdxTest, RefusesTrailingGarbageAndASecondMember) {
  const std::string gzip = Gzip(Good());
  EXPECT_THAT(ParseIdx(gzip + "xyz", 3, "x"),
              IsDataError("x: has 3 bytes after the end of the gzip data"));
  EXPECT_THAT(ParseIdx(gzip + gzip, 3, "x"),
              IsDataError(HasSubstr("after the end of the gzip data")));
}

TEST(IdxTest, RefusesABadChecksumAndABadLength) {
  std::string crc = Gzip(Good());
  crc[crc.size() - 8] ^= 1;
  EXPECT_THAT(ParseIdx(crc, 3, "x"), IsDataError(HasSubstr("data check")));
  std::string length = Gzip(Good());
  length[length.size() - 1] ^= 1;
  EXPECT_THAT(ParseIdx(length, 3, "x"), IsDataError(HasSubstr("length check")));
}

TEST(IdxTest, NoFlippedBitOfAGzipFileChangesWhatIsRead) {
  const std::string gzip = Gzip(Good());
  size_t refused = 0;
  for (size_t bit = 0; bit < 8 * gzip.size(); ++bit) {
    std::string damaged = gzip;
    damaged[bit / 8] ^= static_cast<char>(1 << bit % 8);
    const auto array = ParseIdx(damaged, 3, "x");
    if (array.ok()) {
      EXPECT_EQ(array->values, Values()) << "bit " << bit;
    } else {
      EXPECT_THAT(array, IsDataError(HasSubstr("x: "))) << "bit " << bit;
      ++refused;
    }
  }
  // The time stamp, two descriptive bytes and up to 7 bits of padding hold no
  // data; one flag is a hint.
  EXPECT_GE(refused, 8 * gzip.size() - 8 * 6 - 7 - 1);
}

}  // namespace
}  // namespace fairdarts
