#include "fairdarts/base/safetensors.h"

#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::StartsWith;

// A file with this header and this many bytes of data.
std::string FileOf(absl::string_view header, int data_bytes = 0,
                   int64_t header_size = -1) {
  const uint64_t size = header_size < 0 ? header.size() : header_size;
  std::string prefix(8, '\0');
  std::memcpy(&prefix[0], &size, 8);  // x86 and ARM are little-endian
  return absl::StrCat(prefix, header, std::string(data_bytes, '\1'));
}

std::string TensorHeader(absl::string_view name, absl::string_view dtype,
                         absl::string_view shape, absl::string_view offsets) {
  return absl::StrCat("\"", name, "\":{\"dtype\":\"", dtype,
                      "\",\"shape\":", shape, ",\"data_offsets\":", offsets,
                      "}");
}

std::string GoodFile() {
  return FileOf(absl::StrCat("{\"__metadata__\":{\"epoch\":\"12\"},",
                             TensorHeader("b", "F32", "[2,3]", "[4,28]"), ",",
                             TensorHeader("a", "I16", "[2]", "[0,4]"), "}  "),
                28);
}

// Expects one line that begins with the name of the file and says `reason`.
void ExpectRefused(const std::string& bytes, const std::string& reason) {
  const absl::StatusOr<SafetensorsFile> file =
      SafetensorsFile::Parse(bytes, "m.st");
  ASSERT_THAT(file, StatusIs(absl::StatusCode::kDataLoss, reason));
  EXPECT_THAT(file, ExitCodeIs(ExitCode::kModelFile));
  const std::string message(file.status().message());
  EXPECT_THAT(message, StartsWith("m.st: "));
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

TEST(SafetensorsTest, ReadsTensorsAndMetadata) {
  absl::StatusOr<SafetensorsFile> parsed =
      SafetensorsFile::Parse(GoodFile(), "m.st");
  ASSERT_THAT(parsed, IsOk());
  const SafetensorsFile file = *std::move(parsed);  // views survive the move
  EXPECT_THAT(file.metadata(), ElementsAre(Pair("epoch", "12")));
  EXPECT_THAT(file.FindMetadata("epoch"), IsOkAndHolds("12"));
  EXPECT_THAT(file.tensors(), SizeIs(2));
  const absl::StatusOr<TensorView> b = file.Find("b");
  ASSERT_THAT(b, IsOk());
  EXPECT_EQ(b->dtype, DType::kF32);
  EXPECT_THAT(b->shape, ElementsAre(2, 3));
  EXPECT_EQ(b->elements(), 6);
  EXPECT_EQ(b->data, std::string(24, '\1'));
}

TEST(SafetensorsTest, NamesWhatIsMissing) {
  const absl::StatusOr<SafetensorsFile> file =
      SafetensorsFile::Parse(GoodFile(), "m.st");
  ASSERT_THAT(file, IsOk());
  EXPECT_THAT(file->Find("c"), StatusIs(absl::StatusCode::kDataLoss,
                                        "m.st: has no tensor \"c\""));
  EXPECT_THAT(file->FindMetadata("c"), StatusIs(absl::StatusCode::kDataLoss,
                                                "m.st: has no metadata \"c\""));
}

TEST(SafetensorsTest, TakesEmptyTensorsScalarsAndNoTensors) {
  EXPECT_THAT(SafetensorsFile::Parse(FileOf("{}"), ""), IsOk());
  EXPECT_THAT(
      SafetensorsFile::Parse(
          FileOf(absl::StrCat("{", TensorHeader("s", "F64", "[]", "[0,8]"), ",",
                              TensorHeader("e", "F32", "[0,4]", "[0,0]"), ",",
                              TensorHeader("f", "F32", "[3,0]", "[8,8]"), "}"),
                 8),
          ""),
      IsOk());
}

TEST(SafetensorsTest, KnowsEveryDType) {
  for (const DType dtype :
       {DType::kBool, DType::kU8, DType::kI8, DType::kI16, DType::kI32,
        DType::kI64, DType::kF16, DType::kBF16, DType::kF32, DType::kF64}) {
    const int64_t bytes = 3 * DTypeBytes(dtype);
    const absl::StatusOr<SafetensorsFile> file = SafetensorsFile::Parse(
        FileOf(absl::StrCat("{",
                            TensorHeader("t", DTypeName(dtype), "[3]",
                                         absl::StrCat("[0,", bytes, "]")),
                            "}"),
               bytes),
        "m.st");
    ASSERT_THAT(file, IsOk());
    EXPECT_EQ(file->Find("t")->dtype, dtype);
  }
}

TEST(SafetensorsTest, RefusesEveryStrictPrefix) {
  const std::string whole = GoodFile();
  for (size_t size = 0; size < whole.size(); ++size) {
    ExpectRefused(whole.substr(0, size), "");
  }
}

TEST(SafetensorsTest, RefusesAHeaderLargerThanTheFileOrTheBound) {
  ExpectRefused(FileOf("{}", 0, 3), "header of 3 bytes, more than the 2");
  ExpectRefused(FileOf("{}", 0, int64_t{1} << 62), "more than the 2");
  ExpectRefused(std::string(8, '\xFF') + "{}",
                "header of 18446744073709551615");
  const std::string header = "{" + std::string(100000000, ' ');
  ExpectRefused(FileOf(header), "more than the 100000000");
}

TEST(SafetensorsTest, RefusesAHeaderThatIsNoObject) {
  ExpectRefused(FileOf(""), "does not begin with \"{\"");
  ExpectRefused(FileOf(" {}"), "does not begin with \"{\"");
  ExpectRefused(FileOf("[]"), "does not begin with \"{\"");
  ExpectRefused(FileOf("{}\n"), "padded with something other than spaces");
  ExpectRefused(FileOf("{}x"), "padded with something other than spaces");
  ExpectRefused(FileOf("{}{}"), "not JSON");
  ExpectRefused(FileOf("{\"a\"}"), "not JSON");
  ExpectRefused(FileOf("{\"\xC0\x80\":1}"), "not JSON");
}

TEST(SafetensorsTest, RefusesDeepNestingWithoutRecursion) {
  std::string deep = "{\"a\":";
  for (int i = 0; i < 1000000; ++i) deep += "[";
  ExpectRefused(FileOf(deep + "}"), "\"a\" is an array instead of an object");
  deep = "{\"a\":{\"shape\":";
  for (int i = 0; i < 1000000; ++i) deep += "[";
  ExpectRefused(FileOf(deep + "}"), "shape holds an array");
  deep = "";
  for (int i = 0; i < 1000000; ++i) deep += "{\"a\":";
  ExpectRefused(FileOf(deep + "}"), "tensor \"a\": unknown field \"a\"");
}

TEST(SafetensorsTest, RefusesDuplicates) {
  const std::string a = TensorHeader("a", "U8", "[0]", "[0,0]");
  ExpectRefused(FileOf(absl::StrCat("{", a, ",", a, "}")),
                "tensor \"a\" twice");
  ExpectRefused(
      FileOf(absl::StrCat("{", a, ",",
                          TensorHeader("\\u0061", "U8", "[0]", "[0,0]"), "}")),
      "tensor \"a\" twice");
  ExpectRefused(FileOf("{\"__metadata__\":{},\"__metadata__\":{}}"),
                "__metadata__ twice");
  ExpectRefused(FileOf("{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}"),
                "__metadata__: \"a\" twice");
  for (const char* field :
       {"\"dtype\":\"U8\"", "\"shape\":[0]", "\"data_offsets\":[0,0]"}) {
    ExpectRefused(FileOf(absl::StrCat("{\"a\":{", field, ",", field, "}}")),
                  "twice");
  }
}

TEST(SafetensorsTest, RefusesMetadataThatIsNotStrings) {
  ExpectRefused(FileOf("{\"__metadata__\":\"x\"}"),
                "\"__metadata__\" is a str");
  ExpectRefused(FileOf("{\"__metadata__\":null}"), "\"__metadata__\" is null");
  for (const char* value : {"1", "-1", "1.5", "true", "null", "[]", "{}"}) {
    ExpectRefused(
        FileOf(absl::StrCat("{\"__metadata__\":{\"a\":", value, "}}")),
        "instead of a string");
  }
}

TEST(SafetensorsTest, RefusesUnknownOrMissingFields) {
  ExpectRefused(FileOf("{\"a\":{\"dtype\":\"U8\",\"strides\":[1]}}"),
                "tensor \"a\": unknown field \"strides\"");
  ExpectRefused(FileOf("{\"a\":{\"shape\":[0],\"data_offsets\":[0,0]}}"),
                "has no dtype");
  ExpectRefused(FileOf("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,0]}}"),
                "has no shape");
  ExpectRefused(FileOf("{\"a\":{\"dtype\":\"U8\",\"shape\":[0]}}"),
                "has no data_offsets");
}

TEST(SafetensorsTest, RefusesValuesOfTheWrongKind) {
  for (const char* value : {"1", "-1", "1.5", "true", "null", "[]", "\"x\""}) {
    ExpectRefused(FileOf(absl::StrCat("{\"a\":", value, "}")),
                  "instead of an object");
  }
  for (const char* value : {"1", "null", "[]", "{}"}) {
    ExpectRefused(FileOf(absl::StrCat("{\"a\":{\"dtype\":", value, "}}")),
                  "instead of a string");
  }
  for (const char* field : {"shape", "data_offsets"}) {
    for (const char* value : {"1", "null", "\"x\"", "{}"}) {
      ExpectRefused(
          FileOf(absl::StrCat("{\"a\":{\"", field, "\":", value, "}}")),
          "instead of an array");
    }
    for (const char* value : {"-1", "-0", "1.0", "1e3", "true", "\"1\""}) {
      ExpectRefused(
          FileOf(absl::StrCat("{\"a\":{\"", field, "\":[", value, "]}}")),
          "only whole numbers from 0");
    }
    ExpectRefused(
        FileOf(absl::StrCat("{\"a\":{\"", field, "\":[9223372036854775808]}}")),
        "more than 63 bits");
  }
}

TEST(SafetensorsTest, RefusesAnUnknownDType) {
  for (const char* dtype : {"F31", "f32", "U64", "F8_E4M3", ""}) {
    ExpectRefused(FileOf(absl::StrCat(
                      "{", TensorHeader("a", dtype, "[0]", "[0,0]"), "}")),
                  absl::StrCat("unknown dtype \"", dtype, "\""));
  }
}

TEST(SafetensorsTest, RefusesSizesThatOverflow) {
  for (const char* shape :
       {"[4294967296,4294967296]", "[9223372036854775807,2]",
        "[2305843009213693952]", "[0,4294967296,4294967296]",
        "[4294967296,4294967296,0]"}) {
    ExpectRefused(FileOf(absl::StrCat(
                      "{", TensorHeader("a", "F64", shape, "[0,0]"), "}")),
                  "does not fit in 63 bits");
  }
}

TEST(SafetensorsTest, RefusesOffsetsThatDoNotFit) {
  const auto refused = [](const char* offsets, const char* reason) {
    ExpectRefused(
        FileOf(absl::StrCat("{", TensorHeader("a", "U8", "[4]", offsets), "}"),
               4),
        reason);
  };
  refused("[]", "0 numbers instead of 2");
  refused("[0]", "1 numbers instead of 2");
  refused("[0,4,4]", "3 numbers instead of 2");
  refused("[4,0]", "lie outside the data");
  refused("[0,5]", "lie outside the data, which has 4 bytes");
  refused("[9223372036854775807,9223372036854775807]", "lie outside");
  refused("[0,3]", "has 3 bytes, but its shape and dtype U8 ask for 4");
  ExpectRefused(
      FileOf(absl::StrCat("{", TensorHeader("a", "U8", "[3]", "[0,4]"), "}"),
             4),
      "has 4 bytes, but its shape and dtype U8 ask for 3");
}

TEST(SafetensorsTest, RefusesGapsOverlapsAndTrailingBytes) {
  const auto two = [](const char* first, const char* second) {
    return FileOf(absl::StrCat("{", TensorHeader("a", "U8", "[4]", first), ",",
                               TensorHeader("b", "U8", "[4]", second), "}"),
                  9);
  };
  ExpectRefused(two("[0,4]", "[5,9]"), "tensor \"b\": data_offsets begin at 5");
  ExpectRefused(two("[0,4]", "[3,7]"), "inside the tensor before it");
  ExpectRefused(two("[1,5]", "[5,9]"), "tensor \"a\": data_offsets begin at 1");
  ExpectRefused(two("[0,4]", "[4,8]"),
                "end at byte 8 of the data, which has 9");
  ExpectRefused(FileOf("{}", 1), "end at byte 0 of the data, which has 1");
}

TEST(SafetensorsTest, HostileNamesStayOnOneShortLine) {
  const std::string name = absl::StrCat("a\\n", std::string(5000, 'x'));
  const absl::StatusOr<SafetensorsFile> file = SafetensorsFile::Parse(
      FileOf(absl::StrCat("{\"", name, "\":1}")), "m.st");
  ASSERT_THAT(file, StatusIs(absl::StatusCode::kDataLoss, "a\\nxxx"));
  EXPECT_LT(file.status().message().size(), 400u);
}

TEST(SafetensorsTest, WritesWhatItReads) {
  const std::string floats(12, '\7');
  const std::string odd = "\"\\\n\x01\xC3\xA9";
  const std::string bytes =
      SerializeSafetensors({{"z", {DType::kF32, {3}, floats}},
                            {odd, {DType::kU8, {1, 2}, "ab"}},
                            {"empty", {DType::kF16, {0}, ""}}},
                           {{"who", odd}, {odd, ""}});
  const absl::StatusOr<SafetensorsFile> file =
      SafetensorsFile::Parse(bytes, "m.st");
  ASSERT_THAT(file, IsOk());
  EXPECT_THAT(file->tensors(), SizeIs(3));
  EXPECT_EQ(file->Find("z")->data, floats);
  EXPECT_EQ(file->Find(odd)->data, "ab");
  EXPECT_THAT(file->Find(odd)->shape, ElementsAre(1, 2));
  EXPECT_THAT(file->metadata(), ElementsAre(Pair(odd, ""), Pair("who", odd)));
  // The order asked for, and the data where a float may be read in place.
  EXPECT_EQ(file->Find(odd)->data.data() - file->Find("z")->data.data(), 12);
  EXPECT_EQ((bytes.size() - 14) % 8, 0u);
  EXPECT_THAT(SerializeSafetensors({}, {}), HasSubstr("{}"));
}

TEST(SafetensorsDeathTest, WritingNonsenseIsABug) {
  const TensorToWrite a = {"a", {DType::kU8, {1}, "x"}};
  EXPECT_DEATH(SerializeSafetensors({a, a}, {}), "tensor \"a\" twice");
  EXPECT_DEATH(SerializeSafetensors({{"a", {DType::kF32, {1}, "x"}}}, {}),
               "has 1 bytes");
}

TEST(SafetensorsTest, LoadsFromDiskAndNamesThePath) {
  const std::string path = testing::TempDir() + "/good.safetensors";
  ASSERT_THAT(WriteFileAtomic(path, GoodFile()), IsOk());
  EXPECT_THAT(SafetensorsFile::Load(path), IsOk());
  const std::string missing = testing::TempDir() + "/missing.safetensors";
  const absl::StatusOr<SafetensorsFile> file = SafetensorsFile::Load(missing);
  EXPECT_THAT(file, ExitCodeIs(ExitCode::kModelFile));
  EXPECT_THAT(std::string(file.status().message()), StartsWith(missing + ": "));
}

}  // namespace
}  // namespace fairdarts
