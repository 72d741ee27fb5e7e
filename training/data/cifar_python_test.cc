#include "training/data/cifar_python.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "training/data/testing.h"
#include "training/torch_import/testing.h"

namespace fairdarts {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kPixels = 3 * 32 * 32;

// As Python 2 wrote the published files.
std::string OldText(absl::string_view text) {
  return absl::StrCat("T", LittleEndian(text.size(), 4), text);
}

std::string List(const std::vector<std::string>& items) {
  std::string list = "](";
  for (const std::string& item : items) list += item;
  return list + "e";
}

std::string Labels(const std::vector<int64_t>& labels) {
  std::vector<std::string> items;
  for (const int64_t label : labels) items.push_back(PickledInt(label));
  return List(items);
}

std::string Pixels(absl::string_view name, int64_t images) {
  const std::vector<uint8_t> noise = Noise(name, images * kPixels);
  return std::string(noise.begin(), noise.end());
}

std::string Batch(absl::string_view key, const std::vector<int64_t>& labels,
                  absl::string_view noise) {
  const auto n = static_cast<int64_t>(labels.size());
  return WholePickle(PickledDict(
      {OldText("batch_label"), OldText("a batch"), OldText(key), Labels(labels),
       OldText("data"), PickledArrayOf({n, kPixels}, Pixels(noise, n))}));
}

// File name to contents.
using Files = std::map<std::string, std::string>;

// File i holds two images with the labels i and 9.
Files Cifar10() {
  Files files;
  for (int i = 1; i <= 6; ++i) {
    const std::string name =
        i == 6 ? "test_batch" : absl::StrCat("data_batch_", i);
    files[name] = Batch("labels", {i, 9}, absl::StrCat(i));
  }
  return files;
}

std::string Write(const Files& files) {
  const std::string folder = FreshFolder("cifar_python");
  for (const auto& [name, contents] : files) {
    WriteTestFile(absl::StrCat(folder, "/", name), contents);
  }
  return folder;
}

absl::StatusOr<CifarImages> ReadTest(const std::string& test_batch) {
  return ReadCifarPython(CifarKind::kCifar10,
                         Write({{"test_batch", test_batch}}), Split::kTest);
}

TEST(CifarPythonTest, ReadsCifar10InTheOrderOfItsBatches) {
  const std::string folder = Write(Cifar10());
  const auto train =
      ReadCifarPython(CifarKind::kCifar10, folder, Split::kTrain);
  ASSERT_TRUE(train.ok()) << train.status();
  EXPECT_THAT(train->labels, ElementsAre(1, 9, 2, 9, 3, 9, 4, 9, 5, 9));
  std::string expected;
  for (int i = 1; i <= 5; ++i) expected += Pixels(absl::StrCat(i), 2);
  EXPECT_EQ(std::string(train->images.begin(), train->images.end()), expected);
  EXPECT_THAT(train->class_names, IsEmpty());
  const auto test = ReadCifarPython(CifarKind::kCifar10, folder, Split::kTest);
  ASSERT_TRUE(test.ok()) << test.status();
  EXPECT_THAT(test->labels, ElementsAre(6, 9));
}

TEST(CifarPythonTest, ReadsCifar100sFineLabels) {
  const std::string folder =
      Write({{"train", Batch("fine_labels", {99, 0}, "train")},
             {"test", Batch("fine_labels", {42}, "test")}});
  const auto train =
      ReadCifarPython(CifarKind::kCifar100, folder, Split::kTrain);
  ASSERT_TRUE(train.ok()) << train.status();
  EXPECT_THAT(train->labels, ElementsAre(99, 0));
  const auto test = ReadCifarPython(CifarKind::kCifar100, folder, Split::kTest);
  ASSERT_TRUE(test.ok()) << test.status();
  EXPECT_THAT(test->labels, ElementsAre(42));
}

TEST(CifarPythonTest, ReadsClassNames) {
  Files files = Cifar10();
  std::vector<std::string> names;
  for (const char* name : {"airplane", "automobile", "bird", "cat", "deer",
                           "dog", "frog", "horse", "ship", "truck"}) {
    names.push_back(OldText(name));
  }
  files["batches.meta"] =
      WholePickle(PickledDict({OldText("label_names"), List(names)}));
  const auto test =
      ReadCifarPython(CifarKind::kCifar10, Write(files), Split::kTest);
  ASSERT_TRUE(test.ok()) << test.status();
  EXPECT_EQ(test->class_names.size(), 10u);
  EXPECT_EQ(test->class_names[9], "truck");
}

TEST(CifarPythonTest, RefusesClassNamesThatMakeNoSense) {
  const auto read = [](const std::string& list) {
    return ReadCifarPython(
        CifarKind::kCifar10,
        Write({{"test_batch", Batch("labels", {3}, "x")},
               {"batches.meta",
                WholePickle(PickledDict({OldText("label_names"), list}))}}),
        Split::kTest);
  };
  EXPECT_THAT(read("N"), IsDataError(HasSubstr("label_names is None")));
  EXPECT_THAT(read("]"), IsDataError(HasSubstr("has 0 names")));
  EXPECT_THAT(read(List({OldText("a"), OldText("a")})),
              IsDataError(HasSubstr("\"a\" names a second class")));
  EXPECT_THAT(read(List({OldText("a\n")})),
              IsDataError(HasSubstr("without control characters")));
  EXPECT_THAT(read(List({OldText("")})), IsDataError(HasSubstr("1 to 100")));
  EXPECT_THAT(read(List({"N"})), IsDataError(HasSubstr("should be a name")));
  EXPECT_THAT(read(List({OldText("a"), OldText("b")})),
              IsDataError(HasSubstr("labels of image 0 is 3, should be 0 to "
                                    "1")));
}

TEST(CifarPythonTest, RefusesEveryStrictPrefix) {
  const std::string whole = Batch("labels", {1}, "x");
  // Every place but in the midst of the pixels, where all are alike.
  const size_t pixels = whole.find(Pixels("x", 1));
  ASSERT_NE(pixels, std::string::npos);
  for (size_t size = 0; size < whole.size(); ++size) {
    if (size > pixels && size < pixels + kPixels && size % 499 != 0) continue;
    EXPECT_THAT(ReadTest(whole.substr(0, size)),
                IsDataError(HasSubstr("test_batch: at byte")))
        << size;
  }
  ASSERT_TRUE(ReadTest(whole).ok());
  EXPECT_THAT(ReadTest(whole + "x"), IsDataError(HasSubstr("1 bytes after")));
}

TEST(CifarPythonTest, RefusesForeignNames) {
  EXPECT_THAT(
      ReadTest(WholePickle(PickledCall("os", "system", {OldText("true")}))),
      IsDataError(AllOf(HasSubstr("test_batch: at byte 2"),
                        HasSubstr("refuses to call os.system"))));
  EXPECT_THAT(ReadTest(WholePickle(PickledStorageOf("FloatStorage", "0", 1))),
              IsDataError(HasSubstr("refuses to call torch.FloatStorage")));
}

TEST(CifarPythonTest, RefusesBatchesThatMakeNoSense) {
  const auto read = [](const std::string& data, const std::string& labels) {
    return ReadTest(WholePickle(
        PickledDict({OldText("data"), data, OldText("labels"), labels})));
  };
  const std::string one = PickledArrayOf({1, kPixels}, Pixels("x", 1));
  EXPECT_TRUE(read(one, Labels({3})).ok());
  EXPECT_THAT(ReadTest(WholePickle("]")),
              IsDataError(HasSubstr("holds a list, should hold a dict")));
  EXPECT_THAT(ReadTest(WholePickle("}")),
              IsDataError(HasSubstr("has no \"data\"")));
  EXPECT_THAT(ReadTest(WholePickle(PickledDict({OldText("data"), one}))),
              IsDataError(HasSubstr("has no \"labels\"")));
  EXPECT_THAT(read("N", Labels({3})), IsDataError(HasSubstr("data is None")));
  EXPECT_THAT(read(one, "N"), IsDataError(HasSubstr("labels is None")));
  EXPECT_THAT(read(one, Labels({3, 4})),
              IsDataError(HasSubstr("has 1 images, but 2 labels")));
  EXPECT_THAT(read(one, Labels({10})),
              IsDataError(HasSubstr("labels of image 0 is 10, should be 0 to "
                                    "9")));
  EXPECT_THAT(read(one, Labels({-1})), IsDataError(HasSubstr("is -1")));
  EXPECT_THAT(read(one, "](Ne"), IsDataError(HasSubstr("is None")));
  EXPECT_THAT(read(PickledArrayOf({kPixels}, Pixels("x", 1)), Labels({3})),
              IsDataError(HasSubstr("shape [3072], should be [N, 3072]")));
  EXPECT_THAT(
      read(PickledArrayOf({3, kPixels / 3}, Pixels("x", 1)), Labels({3, 3, 3})),
      IsDataError(HasSubstr("shape [3, 1024]")));
  EXPECT_THAT(read(PickledArrayOf({0, kPixels}, ""), Labels({})),
              IsDataError(HasSubstr("shape [0, 3072]")));
}

TEST(CifarPythonTest, RefusesAMissingBatch) {
  Files files = Cifar10();
  files.erase("data_batch_3");
  EXPECT_THAT(ReadCifarPython(CifarKind::kCifar10, Write(files), Split::kTrain),
              IsDataError(HasSubstr("data_batch_3: cannot open")));
}

}  // namespace
}  // namespace fairdarts
