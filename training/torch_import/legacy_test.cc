#include "training/torch_import/legacy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tests/status_matchers.h"
#include "training/torch_import/testing.h"

namespace fairdarts {
namespace {

constexpr absl::StatusCode kDamaged = absl::StatusCode::kDataLoss;

std::string Tensor(absl::string_view key, int64_t elements) {
  return PickledTensorOf(PickledStorageOf("FloatStorage", key, elements), 0,
                         {elements}, {1});
}

// Two tensors whose storages stand in the other order.
std::string Sample() {
  return TorchLegacy(PickledDict({PickledText("a"), Tensor("11", 2),
                                  PickledText("b"), Tensor("22", 1)}),
                     4, {{"22", FloatBytes({3})}, {"11", FloatBytes({1, 2})}});
}

TEST(LegacyTest, ReadsStoragesInTheOrderOfTheirList) {
  const std::string bytes = Sample();
  EXPECT_TRUE(LooksLegacy(bytes));
  const auto file = ParseLegacy(bytes);
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ(file->object.root.size(), 2u);
  ASSERT_EQ(file->storages.size(), 2u);
  EXPECT_EQ(file->storages.at("11"), FloatBytes({1, 2}));
  EXPECT_EQ(file->storages.at("22"), FloatBytes({3}));
}

TEST(LegacyTest, KnowsItsFiles) {
  EXPECT_TRUE(LooksLegacy("L119547037146038801333356L\n."));
  EXPECT_FALSE(LooksLegacy(""));
  EXPECT_FALSE(LooksLegacy("PK\x03\x04"));
}

TEST(LegacyTest, RefusesEveryStrictPrefix) {
  const std::string bytes = Sample();
  for (size_t size = 0; size < bytes.size(); ++size) {
    const std::string prefix(bytes, 0, size);
    EXPECT_THAT(ParseLegacy(prefix), StatusIs(kDamaged, "")) << size;
  }
}

TEST(LegacyTest, RefusesWhatFollowsTheLastStorage) {
  EXPECT_THAT(ParseLegacy(Sample() + "x"),
              StatusIs(kDamaged, "has 1 bytes after the last storage"));
}

TEST(LegacyTest, RefusesOtherPickles) {
  EXPECT_THAT(ParseLegacy(WholePickle(PickledText("hi"))),
              StatusIs(kDamaged, "magic number of torch.save"));
  EXPECT_THAT(ParseLegacy(WholePickle(PickledInt(1001))),
              StatusIs(kDamaged, "magic number of torch.save"));
  std::string bytes = Sample();
  const size_t version = bytes.find(LittleEndian(1001, 8));
  ASSERT_NE(version, std::string::npos);
  bytes[version] ^= 1;
  EXPECT_THAT(ParseLegacy(bytes), StatusIs(kDamaged, "should be 1001"));
}

TEST(LegacyTest, RefusesBigEndianFiles) {
  std::string bytes = Sample();
  const size_t name = bytes.find("little_endian");
  ASSERT_NE(name, std::string::npos);
  bytes[name + 13] = '\x89';  // False
  EXPECT_THAT(ParseLegacy(bytes), StatusIs(kDamaged, "little-endian"));
}

TEST(LegacyTest, NamesThePartThatIsRefused) {
  EXPECT_THAT(ParseLegacy(TorchLegacy(
                  PickledCall("os", "system", {PickledText("true")}), 4, {})),
              StatusIs(kDamaged,
                       "object: at byte 2: refuses to call "
                       "os.system"));
}

TEST(LegacyTest, RefusesStoragesThatDoNotFit) {
  const std::string two = FloatBytes({1, 2});
  EXPECT_THAT(ParseLegacy(TorchLegacy(Tensor("1", 2), 4, {})),
              StatusIs(kDamaged, "storage 1 is missing"));
  EXPECT_THAT(
      ParseLegacy(TorchLegacy(Tensor("1", 2), 4, {{"1", two}, {"1", two}})),
      StatusIs(kDamaged, "storage 1 comes twice"));
  EXPECT_THAT(
      ParseLegacy(TorchLegacy(Tensor("1", 2), 4, {{"1", two}, {"2", two}})),
      StatusIs(kDamaged, "storage 2 belongs to no tensor"));
  EXPECT_THAT(
      ParseLegacy(TorchLegacy(Tensor("1", 2), 4, {{"1", FloatBytes({1})}})),
      StatusIs(kDamaged, "has 1 elements where its tensor's says 2"));
}

TEST(LegacyTest, RefusesAStorageThatClaimsMoreThanTheFile) {
  const int64_t many = int64_t{1} << 60;
  std::string bytes = TorchLegacy(Tensor("1", many), 4, {{"1", ""}});
  bytes.replace(bytes.size() - 8, 8, LittleEndian(many, 8));
  EXPECT_THAT(ParseLegacy(bytes),
              StatusIs(kDamaged, "claims 4611686018427387904 bytes where 0"));
}

}  // namespace
}  // namespace fairdarts
