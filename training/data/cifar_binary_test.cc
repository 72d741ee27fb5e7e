#include "training/data/cifar_binary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "training/data/testing.h"

namespace fairdarts {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kPixels = 3 * 32 * 32;

std::string Record(const std::vector<uint8_t>& labels,
                   absl::string_view noise) {
  std::string record(labels.begin(), labels.end());
  const std::vector<uint8_t> pixels = Noise(noise, kPixels);
  record.append(pixels.begin(), pixels.end());
  return record;
}

// File name to contents.
using Files = std::map<std::string, std::string>;

// Two images a file: the labels of file i are i and 9.
Files Cifar10() {
  Files files;
  for (int i = 1; i <= 6; ++i) {
    const std::string name =
        i == 6 ? "test_batch.bin" : absl::StrCat("data_batch_", i, ".bin");
    files[name] = Record({static_cast<uint8_t>(i)}, absl::StrCat(i, "a")) +
                  Record({9}, absl::StrCat(i, "b"));
  }
  return files;
}

Files Cifar100() {
  Files files;
  for (int i = 0; i < 5; ++i) {
    files["train.bin"] +=
        Record({19, static_cast<uint8_t>(95 + i)}, absl::StrCat("train", i));
  }
  files["test.bin"] = Record({0, 42}, "test");
  return files;
}

std::string Write(const Files& files) {
  const std::string folder = FreshFolder("cifar");
  for (const auto& [name, contents] : files) {
    WriteTestFile(absl::StrCat(folder, "/", name), contents);
  }
  return folder;
}

std::vector<uint8_t> Image(const CifarImages& images, int i) {
  return {images.images.begin() + i * kPixels,
          images.images.begin() + (i + 1) * kPixels};
}

TEST(CifarBinaryTest, ReadsCifar10InFileOrder) {
  const std::string folder = Write(Cifar10());
  const auto train = ReadCifar(CifarKind::kCifar10, folder, Split::kTrain);
  ASSERT_TRUE(train.ok()) << train.status();
  EXPECT_THAT(train->labels, ElementsAre(1, 9, 2, 9, 3, 9, 4, 9, 5, 9));
  EXPECT_EQ(train->images.size(), 10 * kPixels);
  EXPECT_EQ(Image(*train, 0), Noise("1a", kPixels));
  EXPECT_EQ(Image(*train, 9), Noise("5b", kPixels));
  EXPECT_THAT(train->class_names, IsEmpty());
  const auto test = ReadCifar(CifarKind::kCifar10, folder, Split::kTest);
  ASSERT_TRUE(test.ok()) << test.status();
  EXPECT_THAT(test->labels, ElementsAre(6, 9));
  EXPECT_EQ(Image(*test, 1), Noise("6b", kPixels));
}

TEST(CifarBinaryTest, ReadsTheFineLabelsOfCifar100) {
  const std::string folder = Write(Cifar100());
  const auto train = ReadCifar(CifarKind::kCifar100, folder, Split::kTrain);
  ASSERT_TRUE(train.ok()) << train.status();
  EXPECT_THAT(train->labels, ElementsAre(95, 96, 97, 98, 99));
  EXPECT_EQ(Image(*train, 3), Noise("train3", kPixels));
  const auto test = ReadCifar(CifarKind::kCifar100, folder, Split::kTest);
  ASSERT_TRUE(test.ok()) << test.status();
  EXPECT_THAT(test->labels, ElementsAre(42));
}

TEST(CifarBinaryTest, ReadsClassNames) {
  Files files = Cifar10();
  // As published: a blank line at the end.
  files["batches.meta.txt"] = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n";
  auto images = ReadCifar(CifarKind::kCifar10, Write(files), Split::kTrain);
  ASSERT_TRUE(images.ok()) << images.status();
  EXPECT_THAT(images->class_names,
              ElementsAre("a", "b", "c", "d", "e", "f", "g", "h", "i", "j"));
  // They bound the labels, and lines may end as on Windows.
  files["batches.meta.txt"] = "a\r\nb\r\nc\r\n";
  EXPECT_THAT(ReadCifar(CifarKind::kCifar10, Write(files), Split::kTrain),
              IsDataError(HasSubstr(
                  "data_batch_1.bin: label of image 1 is 9, should be 0 to "
                  "2")));
}

TEST(CifarBinaryTest, RefusesBadClassNames) {
  for (const auto& [names, message] :
       std::vector<std::pair<std::string, std::string>>{
           {"", ":1: is empty"},
           {"a\n\nb\n", ":2: is empty"},
           {"a\nb\na\n", ":3: \"a\" names a second class"},
           {"a\nb\x01\n", ":2: \"b\\x01\" should be a name"},
           {"0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n", "names 11 classes"},
           {std::string(70000, 'a'), "70000 bytes"}}) {
    Files files = Cifar10();
    files["batches.meta.txt"] = names;
    EXPECT_THAT(
        ReadCifar(CifarKind::kCifar10, Write(files), Split::kTest),
        IsDataError(AllOf(HasSubstr("batches.meta.txt"), HasSubstr(message))));
  }
}

TEST(CifarBinaryTest, RefusesEveryMissingFile) {
  for (const CifarKind kind : {CifarKind::kCifar10, CifarKind::kCifar100}) {
    const Files files = kind == CifarKind::kCifar10 ? Cifar10() : Cifar100();
    for (const auto& [name, contents] : files) {
      const std::string folder = Write(files);
      std::filesystem::remove(absl::StrCat(folder, "/", name));
      EXPECT_THAT(
          ReadCifar(kind, folder, Split::kTrain),
          IsDataError(AllOf(HasSubstr(name), HasSubstr("No such file"))));
    }
  }
}

TEST(CifarBinaryTest, RefusesEveryStrictPrefixOfEveryFile) {
  for (const CifarKind kind : {CifarKind::kCifar10, CifarKind::kCifar100}) {
    const Files files = kind == CifarKind::kCifar10 ? Cifar10() : Cifar100();
    const std::string folder = Write(files);
    for (const auto& [name, contents] : files) {
      // The five training files are read alike: the third stands for them.
      if (absl::StrContains(name, "data_batch") && name != "data_batch_3.bin") {
        continue;
      }
      const std::string path = absl::StrCat(folder, "/", name);
      for (size_t size = contents.size(); size-- > 0;) {
        std::filesystem::resize_file(path, size);
        ASSERT_THAT(ReadCifar(kind, folder, Split::kTrain),
                    IsDataError(HasSubstr(".bin: ")))
            << name << " cut to " << size << " bytes";
      }
      WriteTestFile(path, contents);
    }
    EXPECT_TRUE(ReadCifar(kind, folder, Split::kTrain).ok());
  }
}

TEST(CifarBinaryTest, SaysWhatIsWrongWithASize) {
  Files files = Cifar10();
  files["data_batch_4.bin"].pop_back();
  EXPECT_THAT(
      ReadCifar(CifarKind::kCifar10, Write(files), Split::kTrain),
      IsDataError(HasSubstr("data_batch_4.bin: has 6145 bytes, should be a "
                            "positive multiple of the 3073 bytes")));
  // Cut between two records.
  files["data_batch_4.bin"].resize(3073);
  EXPECT_THAT(ReadCifar(CifarKind::kCifar10, Write(files), Split::kTrain),
              IsDataError(HasSubstr(
                  "data_batch_4.bin: holds 1 images, but test_batch.bin with "
                  "its 2 asks for 2")));
  Files files100 = Cifar100();
  files100["train.bin"].clear();
  EXPECT_THAT(ReadCifar(CifarKind::kCifar100, Write(files100), Split::kTrain),
              IsDataError(HasSubstr("train.bin: has 0 bytes")));
}

TEST(CifarBinaryTest, RefusesALabelOutOfRange) {
  Files files = Cifar10();
  files["data_batch_2.bin"][3073] = 10;
  EXPECT_THAT(
      ReadCifar(CifarKind::kCifar10, Write(files), Split::kTrain),
      IsDataError(HasSubstr(
          "data_batch_2.bin: label of image 1 is 10, should be 0 to 9")));
  Files fine = Cifar100();
  fine["train.bin"][1] = static_cast<char>(200);
  EXPECT_THAT(ReadCifar(CifarKind::kCifar100, Write(fine), Split::kTrain),
              IsDataError(HasSubstr("fine label of image 0 is 200, should be "
                                    "0 to 99")));
  Files coarse = Cifar100();
  coarse["test.bin"][0] = 20;
  EXPECT_THAT(ReadCifar(CifarKind::kCifar100, Write(coarse), Split::kTest),
              IsDataError(HasSubstr("coarse label of image 0 is 20, should "
                                    "be 0 to 19")));
}

}  // namespace
}  // namespace fairdarts
