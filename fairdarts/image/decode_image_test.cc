#include "fairdarts/image/decode_image.h"

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "fairdarts/image/jpeg.h"
#include "fairdarts/image/png.h"
#include "fairdarts/image/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::HasSubstr;

const ImageFixtures& Golden() {
  static const auto* const golden = new ImageFixtures;
  return *golden;
}

TEST(DecodeImageTest, EveryKindOfFileHasTheReferencesPixels) {
  const std::vector<std::string> names = Golden().Names("files/");
  ASSERT_GE(names.size(), 45u);
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const absl::StatusOr<Image> image = DecodeImage(Golden().File(name));
    ASSERT_THAT(image, IsOk());
    const Image expected = Golden().Pixels(absl::StrCat("pixels/", name));
    EXPECT_EQ(image->width, expected.width);
    EXPECT_EQ(image->height, expected.height);
    EXPECT_EQ(image->channels, expected.channels);
    EXPECT_EQ(image->pixels, expected.pixels);
  }
}

TEST(DecodeImageTest, NoPrefixPasses) {
  for (const std::string& name : Golden().Names("files/")) {
    const std::string file = Golden().File(name);
    for (size_t size = 0; size < file.size(); ++size) {
      const absl::StatusOr<Image> image = DecodeImage(file.substr(0, size));
      ASSERT_THAT(image, ExitCodeIs(ExitCode::kData)) << name << " " << size;
      ASSERT_FALSE(image.status().message().empty());
    }
  }
}

TEST(DecodeImageTest, DamageIsAnErrorOrAnImageOfASaneSize) {
  for (const std::string& name : Golden().Names("files/")) {
    const std::string file = Golden().File(name);
    for (size_t i = 0; i < file.size(); ++i) {
      for (const int flip : {0x01, 0x80, 0xFF}) {
        std::string damaged = file;
        damaged[i] = static_cast<char>(damaged[i] ^ flip);
        const absl::StatusOr<Image> image = DecodeImage(damaged);
        if (!image.ok()) continue;
        ASSERT_THAT(CheckImageSize(image->width, image->height), IsOk());
        ASSERT_EQ(image->pixels.size(),
                  size_t{1} * image->width * image->height * image->channels);
      }
    }
  }
}

TEST(DecodeImageTest, AFlippedBitOfAPngIsSeen) {
  // Its checksums cover everything but the sizes before them.
  const std::string file = Golden().File("rgb8.png");
  for (size_t i = 0; i < file.size(); ++i) {
    std::string damaged = file;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    EXPECT_THAT(DecodeImage(damaged), ExitCodeIs(ExitCode::kData)) << i;
  }
}

TEST(DecodeImageTest, WhatFollowsTheEndIsNotLookedAt) {
  for (const char* const name : {"rgb8.png", "progressive.jpg"}) {
    EXPECT_THAT(DecodeImage(Golden().File(name) + "more"), IsOk()) << name;
  }
}

TEST(DecodeImageTest, OtherFilesAreNamedByTheirBytes) {
  EXPECT_THAT(DecodeImage(""), StatusIs(absl::StatusCode::kDataLoss, "empty"));
  const absl::StatusOr<Image> gif = DecodeImage("GIF89a and more");
  EXPECT_THAT(gif, ExitCodeIs(ExitCode::kData));
  EXPECT_THAT(std::string(gif.status().message()),
              HasSubstr("neither PNG nor JPEG: it begins with the bytes "
                        "474946383961"));
}

void PutBigEndian(std::string& file, size_t offset, size_t bytes,
                  uint64_t value) {
  for (size_t i = 0; i < bytes; ++i) {
    file[offset + i] = static_cast<char>(value >> (8 * (bytes - 1 - i)));
  }
}

uint32_t Crc32(absl::string_view bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (const char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) {
      crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
    }
  }
  return ~crc;
}

// A sound file that says to be of another size.
std::string PngOfSize(uint32_t width, uint32_t height) {
  std::string file = Golden().File("rgb8.png");
  PutBigEndian(file, 16, 4, width);
  PutBigEndian(file, 20, 4, height);
  PutBigEndian(file, 29, 4, Crc32(absl::string_view(file).substr(12, 17)));
  return file;
}

TEST(DecodeImageTest, PngBeyondTheLimits) {
  EXPECT_THAT(DecodeImage(PngOfSize(19, 13)), IsOk());
  EXPECT_THAT(DecodeImage(PngOfSize(65536, 1)),
              StatusIs(absl::StatusCode::kDataLoss, "is 65536x1 pixels"));
  EXPECT_THAT(DecodeImage(PngOfSize(1, 0x7FFFFFFF)),
              StatusIs(absl::StatusCode::kDataLoss, "is 1x2147483647 pixels"));
  EXPECT_THAT(DecodeImage(PngOfSize(10001, 10000)),
              StatusIs(absl::StatusCode::kDataLoss, "at most 100000000"));
  EXPECT_THAT(DecodeImage(PngOfSize(0, 13)), ExitCodeIs(ExitCode::kData));
  EXPECT_THAT(DecodeImage(PngOfSize(0xFFFFFFFF, 13)),
              ExitCodeIs(ExitCode::kData));
}

TEST(DecodeImageTest, JpegBeyondTheLimits) {
  std::string file = Golden().File("baseline_444.jpg");
  const size_t frame = file.find("\xFF\xC0");
  ASSERT_NE(frame, std::string::npos);
  PutBigEndian(file, frame + 5, 2, 10000);
  PutBigEndian(file, frame + 7, 2, 10001);
  EXPECT_THAT(DecodeImage(file),
              StatusIs(absl::StatusCode::kDataLoss, "is 10001x10000 pixels"));
  PutBigEndian(file, frame + 5, 2, 0);
  EXPECT_THAT(DecodeImage(file), ExitCodeIs(ExitCode::kData));
}

TEST(DecodeImageTest, MessagesSayWhatIsWrong) {
  const std::string png = Golden().File("rgb8.png");
  EXPECT_THAT(DecodeImage(png.substr(0, png.size() - 20)),
              StatusIs(absl::StatusCode::kDataLoss, "is no sound PNG: "));
  const std::string jpeg = Golden().File("baseline_420.jpg");
  EXPECT_THAT(DecodeImage(jpeg.substr(0, jpeg.size() - 20)),
              StatusIs(absl::StatusCode::kDataLoss, "is no sound JPEG: "));
}

// A progressive file that gives each of the 63 frequencies bit by bit, all of
// them zero: `bits` sound scans a frequency, of eleven bytes each.
std::string ManyScans(int bits) {
  const std::string file = Golden().File("grey_progressive.jpg");
  const size_t first_scan = file.find("\xFF\xDA");
  const size_t after_it = file.find("\xFF\xC4", first_scan);
  std::string many = file.substr(0, after_it);
  const char component = file[first_scan + 5];
  // A table of one symbol, "the rest of the block is zero", as the bit 0.
  const std::string table =
      std::string("\xFF\xC4\0\x14\x10\x01", 6) + std::string(16, '\0');
  many += table;
  for (int frequency = 1; frequency < 64; ++frequency) {
    for (int bit = bits - 1; bit >= 0; --bit) {
      const int before = bit == bits - 1 ? 0 : bit + 1;
      many += std::string("\xFF\xDA\0\x08\x01", 5) + component;
      many += '\0';
      many += std::string(2, static_cast<char>(frequency));
      many += static_cast<char>(before << 4 | bit);
      many += '\x03';  // six blocks, and ones to fill the byte
    }
  }
  return many + "\xFF\xD9";
}

TEST(DecodeImageTest, TooManyScans) {
  EXPECT_THAT(DecodeImage(ManyScans(7)), IsOk());
  EXPECT_THAT(DecodeImage(ManyScans(13)),
              StatusIs(absl::StatusCode::kDataLoss, "scans"));
}

}  // namespace
}  // namespace fairdarts
