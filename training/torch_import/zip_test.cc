#include "training/torch_import/zip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tests/status_matchers.h"
#include "training/torch_import/testing.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;
using ::testing::Not;

constexpr absl::StatusCode kDamaged = absl::StatusCode::kDataLoss;

// Replaces every occurrence; the two must be equally long.
std::string Replaced(std::string bytes, absl::string_view from,
                     absl::string_view to) {
  for (size_t at = 0;
       (at = bytes.find(std::string(from), at)) != std::string::npos;
       at += from.size()) {
    bytes.replace(at, from.size(), std::string(to));
  }
  return bytes;
}

TEST(ZipTest, ReadsStoredEntries) {
  const std::string binary("\0\1\2\xff", 4);
  const std::string bytes =
      ZipOf({{"a/x", "text"}, {"a/data/0", binary}, {"a/empty", ""}});
  auto archive = ZipArchive::Open(bytes);
  ASSERT_THAT(archive, IsOk());
  EXPECT_THAT(archive->names(), ElementsAre("a/x", "a/data/0", "a/empty"));
  EXPECT_TRUE(archive->Contains("a/x"));
  EXPECT_FALSE(archive->Contains("x"));
  EXPECT_THAT(archive->Read("a/x"), IsOkAndHolds("text"));
  EXPECT_THAT(archive->Read("a/data/0"), IsOkAndHolds(binary));
  EXPECT_THAT(archive->Read("a/empty"), IsOkAndHolds(""));
  EXPECT_THAT(archive->Read("a/y"),
              StatusIs(kDamaged, "entry \"a/y\" is missing"));
}

TEST(ZipTest, RefusesEveryStrictPrefix) {
  const std::string bytes = ZipOf({{"a/x", "text"}, {"a/y", "more"}});
  for (size_t size = 0; size < bytes.size(); ++size) {
    // A copy of its own, so that a read past its end is found.
    const std::string prefix(bytes, 0, size);
    EXPECT_THAT(ZipArchive::Open(prefix),
                StatusIs(kDamaged, "is no whole zip archive"))
        << size;
  }
}

TEST(ZipTest, RefusesCompression) {
  const std::string bytes = CompressedZipOf("a/bomb", std::string(1 << 20, 0));
  ASSERT_LT(bytes.size(), size_t{1} << 14);
  EXPECT_THAT(ZipArchive::Open(bytes),
              StatusIs(kDamaged, "entry \"a/bomb\" is compressed"));
}

TEST(ZipTest, RefusesNamesThatLeaveTheArchive) {
  for (const char* name : {"../x", "a/../../x", "/etc/x", "a\\x", "a/.."}) {
    const std::string bytes = ZipOf({{name, "text"}});
    EXPECT_THAT(ZipArchive::Open(bytes), StatusIs(kDamaged, "lies outside"))
        << name;
  }
  EXPECT_THAT(ZipArchive::Open(ZipOf({{"a..b/x..", "text"}})), IsOk());
}

TEST(ZipTest, RefusesAWrongCheckSum) {
  const std::string bytes = Replaced(ZipOf({{"a/x", "text"}}), "text", "texT");
  auto archive = ZipArchive::Open(bytes);
  ASSERT_THAT(archive, IsOk());
  EXPECT_THAT(archive->Read("a/x"), StatusIs(kDamaged, "CRC error"));
}

TEST(ZipTest, RefusesTheSameNameTwice) {
  const std::string bytes =
      Replaced(ZipOf({{"a/x", "one"}, {"a/y", "two"}}), "a/y", "a/x");
  EXPECT_THAT(ZipArchive::Open(bytes), Not(IsOk()));
}

TEST(ZipTest, RefusesEntriesThatShareTheirBytes) {
  // The directory's second record points at the first entry as well: both are
  // well-formed, but together claim more than there is.
  const std::string contents(4000, 'x');
  const std::string honest = ZipOf({{"a/x", contents}});
  const size_t directory = honest.rfind("PK\x01\x02");
  const size_t end = honest.rfind("PK\x05\x06");
  ASSERT_NE(directory, std::string::npos);
  std::string record = honest.substr(directory, end - directory);
  std::string tail = honest.substr(end);
  // Entries on this disk and in all, and the directory's size.
  tail.replace(8, 2, LittleEndian(2, 2));
  tail.replace(10, 2, LittleEndian(2, 2));
  tail.replace(12, 4, LittleEndian(2 * record.size(), 4));
  const std::string bytes = honest.substr(0, directory) + record +
                            Replaced(record, "a/x", "a/y") + tail;
  EXPECT_THAT(ZipArchive::Open(bytes), Not(IsOk()));
}

TEST(ZipTest, RefusesSizesThatHeadersContradict) {
  const std::string honest = ZipOf({{"a/x", "text"}});
  const size_t record = honest.rfind("PK\x01\x02");
  for (const uint64_t size : {3u, 5u, 0x7fffffffu}) {
    std::string bytes = honest;
    bytes.replace(record + 20, 4, LittleEndian(size, 4));  // compressed
    bytes.replace(record + 24, 4, LittleEndian(size, 4));
    EXPECT_THAT(ZipArchive::Open(bytes), Not(IsOk())) << size;
  }
}

}  // namespace
}  // namespace fairdarts
