#include "genotypes/strict_proto.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "fairdarts/base/status.h"
#include "genotypes/catalog.pb.h"

namespace fairdarts {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kText[] = "entry { folder: \"a\" genotype { form: PAIRS } }";

std::string TextError(absl::string_view text) {
  CatalogProto proto;
  const absl::Status status = ParseStrictTextproto(text, proto);
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kData) << text;
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("\n")));
  return std::string(status.message());
}

std::string BinaryError(absl::string_view bytes) {
  CatalogProto proto;
  const absl::Status status = ParseStrictBinary(bytes, proto);
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kData);
  return std::string(status.message());
}

CatalogProto Example() {
  CatalogProto proto;
  EXPECT_TRUE(ParseStrictTextproto(kText, proto).ok());
  EXPECT_EQ(proto.entry(0).genotype().form(), GenotypeProto::PAIRS);
  return proto;
}

TEST(StrictProtoTest, BothFormatsRoundTrip) {
  const CatalogProto proto = Example();
  CatalogProto again;
  const std::string text = ToTextproto(proto);
  EXPECT_THAT(text, HasSubstr("# proto-file: genotypes/catalog.proto\n"
                              "# proto-message: fairdarts.CatalogProto\n"));
  ASSERT_TRUE(ParseStrictTextproto(text, again).ok());
  EXPECT_EQ(ToBinary(again), ToBinary(proto));
  again.Clear();
  ASSERT_TRUE(ParseStrictBinary(ToBinary(proto), again).ok());
  EXPECT_EQ(ToBinary(again), ToBinary(proto));
}

TEST(StrictProtoTest, ParsingReplacesWhatWasThere) {
  CatalogProto proto = Example();
  ASSERT_TRUE(ParseStrictTextproto("", proto).ok());
  EXPECT_EQ(proto.entry_size(), 0);
  proto = Example();
  ASSERT_TRUE(ParseStrictBinary("", proto).ok());
  EXPECT_EQ(proto.entry_size(), 0);
}

TEST(StrictProtoTest, TextErrorsGiveLineAndColumn) {
  EXPECT_THAT(TextError("entry {\n  colour: 3 }"),
              HasSubstr("line 2, column 9: "));
  EXPECT_THAT(TextError("entry {\n  colour: 3 }"), HasSubstr("colour"));
  EXPECT_THAT(TextError("entry { folder: \"a\" folder: \"b\" }"),
              HasSubstr("folder"));
  EXPECT_THAT(TextError("entry { genotype { form: SQUARES } }"),
              HasSubstr("SQUARES"));
  EXPECT_THAT(TextError("entry { folder: 7 }"), HasSubstr("line 1, column"));
  EXPECT_THAT(TextError("entry { folder: \"\n\" }"), HasSubstr("line 1"));
  EXPECT_THAT(TextError(absl::string_view("\0\1\xff", 3)), HasSubstr("line 1"));
}

TEST(StrictProtoTest, DeepNestingIsRefusedNotFollowed) {
  std::string deep;
  for (int i = 0; i < 200000; ++i) deep += "entry { ";
  EXPECT_THAT(TextError(deep), HasSubstr("line 1"));
  std::string nested;
  for (int i = 0; i < 200000; ++i) nested += '\x0b';  // start of group 1
  EXPECT_THAT(BinaryError(nested), HasSubstr("is not a whole"));
}

TEST(StrictProtoTest, UnknownFieldsOfTheWireAreRefusedAtAnyDepth) {
  CatalogProto proto = Example();
  proto.GetReflection()->MutableUnknownFields(&proto)->AddVarint(99, 1);
  EXPECT_THAT(BinaryError(ToBinary(proto)),
              HasSubstr("field number 99 of fairdarts.CatalogProto is not"));
  proto = Example();
  GenotypeProto& inner = *proto.mutable_entry(0)->mutable_genotype();
  inner.GetReflection()->MutableUnknownFields(&inner)->AddVarint(77, 1);
  EXPECT_THAT(BinaryError(ToBinary(proto)),
              HasSubstr("field number 77 of fairdarts.GenotypeProto is not"));
}

TEST(StrictProtoTest, DuplicatesAndGarbageOfTheWireAreRefused) {
  const std::string bytes = ToBinary(Example().entry(0));
  CatalogEntryProto proto;
  ASSERT_TRUE(ParseStrictBinary(bytes, proto).ok());
  // Protobuf itself would merge the two.
  EXPECT_THAT(std::string(ParseStrictBinary(bytes + bytes, proto).message()),
              HasSubstr("is not what protobuf writes"));
  EXPECT_THAT(std::string(ParseStrictBinary(bytes + '\0', proto).message()),
              HasSubstr("is not a whole"));
}

TEST(StrictProtoTest, ATruncatedWireMessageIsRefused) {
  const std::string bytes = ToBinary(Example());
  for (size_t length = 1; length < bytes.size(); ++length) {
    EXPECT_THAT(BinaryError(absl::string_view(bytes).substr(0, length)),
                HasSubstr("is not a whole fairdarts.CatalogProto"));
  }
}

}  // namespace
}  // namespace fairdarts
