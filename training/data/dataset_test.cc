#include "training/data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "training/data/testing.h"
#include "training/torch_import/testing.h"

namespace fairdarts {
namespace {

using ::testing::AllOf;
using ::testing::DoubleNear;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// Published figures are rounded to four digits.
constexpr double kHalfDigit = 0.00005;

constexpr char kTrainImages[] = "train-images-idx3-ubyte";
constexpr char kTrainLabels[] = "train-labels-idx1-ubyte";
constexpr char kTestImages[] = "t10k-images-idx3-ubyte";
constexpr char kTestLabels[] = "t10k-labels-idx1-ubyte";

void WriteIdx(const std::string& folder, absl::string_view file,
              const std::vector<uint32_t>& dimensions,
              const std::vector<uint8_t>& values) {
  WriteTestFile(absl::StrCat(folder, "/", file), IdxBytes(dimensions, values));
}

// Four training and two test images of 1 x 2 pixels in three classes.
std::string SmallMnist(absl::string_view below = "") {
  const std::string top = FreshFolder("mnist");
  const std::string folder = absl::StrCat(top, below);
  WriteIdx(folder, kTrainImages, {4, 1, 2}, {0, 255, 0, 255, 51, 51, 102, 0});
  WriteIdx(folder, kTrainLabels, {4}, {0, 2, 1, 2});
  WriteIdx(folder, kTestImages, {2, 1, 2}, {7, 8, 9, 10});
  WriteIdx(folder, kTestLabels, {2}, {1, 0});
  return top;
}

TEST(DatasetTest, EverythingComesFromTheFiles) {
  const auto train = LoadDataset("mnist", SmallMnist(), Split::kTrain);
  ASSERT_TRUE(train.ok()) << train.status();
  EXPECT_EQ(train->name, "mnist");
  EXPECT_EQ(train->split, Split::kTrain);
  EXPECT_EQ(train->size(), 4);
  EXPECT_EQ(train->channels, 1);
  EXPECT_EQ(train->height, 1);
  EXPECT_EQ(train->width, 2);
  EXPECT_EQ(train->classes, 3);
  EXPECT_THAT(train->labels, ElementsAre(0, 2, 1, 2));
  EXPECT_THAT(train->images, ElementsAre(0, 255, 0, 255, 51, 51, 102, 0));
  EXPECT_EQ(train->image(2)[0], 51);
  // In fifths: 0 5 0 5 1 1 2 0, sum 14, sum of squares 56.
  EXPECT_THAT(train->mean, ElementsAre(DoubleNear(14. / 8 / 5, 1e-12)));
  EXPECT_THAT(train->standard_deviation,
              ElementsAre(DoubleNear(
                  std::sqrt(56. / 8 - (14. / 8) * (14. / 8)) / 5, 1e-12)));
}

TEST(DatasetTest, TheTestSplitHasTheTrainingSplitsClassesAndMoments) {
  const std::string folder = SmallMnist();
  const auto train = LoadDataset("mnist", folder, Split::kTrain);
  const auto test = LoadDataset("mnist", folder, Split::kTest);
  ASSERT_TRUE(test.ok()) << test.status();
  EXPECT_EQ(test->split, Split::kTest);
  EXPECT_THAT(test->images, ElementsAre(7, 8, 9, 10));
  EXPECT_THAT(test->labels, ElementsAre(1, 0));
  EXPECT_EQ(test->classes, 3);
  EXPECT_EQ(test->mean, train->mean);
  EXPECT_EQ(test->standard_deviation, train->standard_deviation);
}

TEST(DatasetTest, FindsTheUsualSubfolderAndGzip) {
  EXPECT_TRUE(
      LoadDataset("mnist", SmallMnist("/MNIST/raw"), Split::kTest).ok());
  EXPECT_TRUE(LoadDataset("fashion-mnist", SmallMnist("/FashionMNIST/raw"),
                          Split::kTest)
                  .ok());
  const std::string folder = SmallMnist();
  for (const char* file :
       {kTrainImages, kTrainLabels, kTestImages, kTestLabels}) {
    const std::string path = absl::StrCat(folder, "/", file);
    auto bytes = IdxBytes({4}, {0, 2, 1, 2});
    if (file == kTrainLabels) {
      WriteTestFile(path + ".gz", Gzip(bytes));
      std::filesystem::remove(path);
    }
  }
  EXPECT_TRUE(LoadDataset("mnist", folder, Split::kTest).ok());
}

TEST(DatasetTest, ReadsNamesAsPeopleSpellThem) {
  for (const auto& [spelling, name] :
       std::vector<std::pair<std::string, std::string>>{
           {"fashion-mnist", "fashion-mnist"},
           {"FashionMNIST", "fashion-mnist"},
           {"fashion_mnist", "fashion-mnist"},
           {"MNIST", "mnist"},
           {"CIFAR-10", "cifar10"},
           {"cifar10", "cifar10"},
           {"CIFAR100", "cifar100"},
           {"cifar_100", "cifar100"}}) {
    const auto canonical = CanonicalDatasetName(spelling);
    ASSERT_TRUE(canonical.ok()) << canonical.status();
    EXPECT_EQ(*canonical, name);
  }
  EXPECT_THAT(DatasetNames(),
              ElementsAre("fashion-mnist", "mnist", "cifar10", "cifar100"));
}

TEST(DatasetTest, AnUnknownNameGetsSuggestions) {
  EXPECT_THAT(
      LoadDataset("cifar1O", "/x", Split::kTrain),
      IsDataError(AllOf(HasSubstr("dataset \"cifar1O\": must be "
                                  "fashion-mnist, mnist, cifar10 or cifar100"),
                        HasSubstr("did you mean cifar10"))));
  EXPECT_THAT(LoadDataset("imagenet-21k\n", "/x", Split::kTrain),
              IsDataError(AllOf(HasSubstr("imagenet-21k\\n"),
                                Not(HasSubstr("did you mean")))));
  EXPECT_THAT(CanonicalDatasetName(""), IsDataError(HasSubstr("\"\"")));
  EXPECT_THAT(DefaultDatasetFolder("x"), IsDataError(HasSubstr("\"x\"")));
  // A long one is cut in the message.
  const absl::Status status =
      CanonicalDatasetName("mnist" + std::string(100000, 'x')).status();
  EXPECT_THAT(status, IsDataError(HasSubstr("mnistxxx")));
  EXPECT_LT(status.message().size(), 200u);
}

TEST(DatasetTest, AMissingFolderSaysWhatToDo) {
  EXPECT_THAT(LoadDataset("cifar10", "", Split::kTrain),
              IsDataError(AllOf(HasSubstr("cifar10"), HasSubstr("--data"))));
  EXPECT_THAT(LoadDataset("cifar100", "/nowhere", Split::kTrain),
              IsDataError(AllOf(HasSubstr("/nowhere/train.bin: does not exist"),
                                HasSubstr("/nowhere/cifar-100-binary"),
                                HasSubstr("--data"))));
  EXPECT_THAT(LoadDataset("mnist", "/nowhere", Split::kTrain),
              IsDataError(AllOf(HasSubstr("/nowhere/train-images-idx3-ubyte"),
                                HasSubstr("/nowhere/MNIST/raw"))));
  EXPECT_EQ(*DefaultDatasetFolder("Fashion-MNIST"),
            "/usr/share/datasets/fashion-mnist");
  EXPECT_EQ(*DefaultDatasetFolder("mnist"), "");
}

TEST(DatasetTest, RefusesEachMissingFile) {
  for (const char* file : {kTrainLabels, kTestImages, kTestLabels}) {
    const std::string folder = SmallMnist();
    std::filesystem::remove(absl::StrCat(folder, "/", file));
    EXPECT_THAT(LoadDataset("mnist", folder, Split::kTest),
                IsDataError(AllOf(HasSubstr(file), HasSubstr("No such"))));
  }
}

TEST(DatasetTest, RefusesImagesAndLabelsOfDifferentNumber) {
  const std::string folder = SmallMnist();
  WriteIdx(folder, kTrainLabels, {3}, {0, 1, 2});
  EXPECT_THAT(
      LoadDataset("mnist", folder, Split::kTrain),
      IsDataError(AllOf(HasSubstr("train-images-idx3-ubyte: holds 4 images"),
                        HasSubstr("train-labels-idx1-ubyte holds 3"))));
}

TEST(DatasetTest, RefusesALabelOutOfRange) {
  std::string folder = SmallMnist();
  WriteIdx(folder, kTrainLabels, {4}, {0, 1, 10, 2});
  EXPECT_THAT(
      LoadDataset("mnist", folder, Split::kTrain),
      IsDataError(HasSubstr("train-labels-idx1-ubyte: label of image 2 is 10, "
                            "should be 0 to 9")));
  // In the test split: what the training split does not have.
  folder = SmallMnist();
  WriteIdx(folder, kTestLabels, {2}, {1, 3});
  EXPECT_THAT(
      LoadDataset("mnist", folder, Split::kTest),
      IsDataError(HasSubstr("t10k-labels-idx1-ubyte: label of image 1 is 3, "
                            "should be 0 to 2")));
}

TEST(DatasetTest, RefusesTestImagesOfAnotherSize) {
  const std::string folder = SmallMnist();
  WriteIdx(folder, kTestImages, {2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_THAT(
      LoadDataset("mnist", folder, Split::kTest),
      IsDataError(HasSubstr("test images are 1 x 2 x 2, should be 1 x 1 x 2")));
}

TEST(DatasetTest, RefusesAnEmptySetAndImagesWithoutContrast) {
  const std::string folder = SmallMnist();
  WriteIdx(folder, kTrainImages, {4, 1, 2}, {9, 9, 9, 9, 9, 9, 9, 9});
  EXPECT_THAT(LoadDataset("mnist", folder, Split::kTrain),
              IsDataError(HasSubstr("all pixels of channel 0")));
  WriteIdx(folder, kTrainImages, {0, 1, 2}, {});
  WriteIdx(folder, kTrainLabels, {0}, {});
  EXPECT_THAT(LoadDataset("mnist", folder, Split::kTrain),
              IsDataError(HasSubstr("dimension 0 is 0")));
}

TEST(DatasetTest, Cifar100HasThePublishedMoments) {
  const std::string folder = FreshFolder("cifar100");
  const auto record = [](int fine, absl::string_view noise) {
    std::string bytes = {1, static_cast<char>(fine)};
    const std::vector<uint8_t> pixels = Noise(noise, 3 * 32 * 32);
    bytes.append(pixels.begin(), pixels.end());
    return bytes;
  };
  std::string train;
  for (int i = 0; i < 5; ++i) train += record(i, absl::StrCat(i));
  WriteTestFile(folder + "/cifar-100-binary/train.bin", train);
  WriteTestFile(folder + "/cifar-100-binary/test.bin", record(4, "test"));
  const auto test = LoadDataset("CIFAR-100", folder, Split::kTest);
  ASSERT_TRUE(test.ok()) << test.status();
  EXPECT_EQ(test->channels, 3);
  EXPECT_EQ(test->height, 32);
  EXPECT_EQ(test->width, 32);
  EXPECT_EQ(test->classes, 5);
  EXPECT_EQ(test->images, Noise("test", 3 * 32 * 32));
  EXPECT_THAT(test->mean, ElementsAre(.50707519, .48654887, .44091785));
  EXPECT_THAT(test->standard_deviation,
              ElementsAre(.26733428, .25643846, .27615049));
  // Test labels must be classes of the training split here as well.
  WriteTestFile(folder + "/cifar-100-binary/test.bin", record(5, "test"));
  EXPECT_THAT(LoadDataset("cifar100", folder, Split::kTest),
              IsDataError(HasSubstr("test.bin: label of image 0 is 5")));
  // With names their number is the number of classes.
  WriteTestFile(folder + "/cifar-100-binary/fine_label_names.txt",
                "a\nb\nc\nd\ne\nf\ng\n");
  const auto named = LoadDataset("cifar100", folder, Split::kTest);
  ASSERT_TRUE(named.ok()) << named.status();
  EXPECT_EQ(named->classes, 7);
  EXPECT_EQ(named->class_names.back(), "g");
}

TEST(DatasetTest, ReadsCifarFromPicklesAsWell) {
  const std::string folder = FreshFolder("cifar100_python");
  const auto batch = [](const std::vector<int64_t>& labels) {
    const auto n = static_cast<int64_t>(labels.size());
    std::string list = "](";
    for (const int64_t label : labels) list += PickledInt(label);
    return WholePickle(
        PickledDict({PickledText("data"),
                     PickledArrayOf({n, 3072}, std::string(n * 3072, '\x11')),
                     PickledText("fine_labels"), list + "e"}));
  };
  const std::string below = folder + "/cifar-100-python";
  WriteTestFile(below + "/train", batch({0, 7, 3}));
  WriteTestFile(below + "/test", batch({7}));
  // The folder itself, or the one above it.
  for (const std::string& given : {folder, below}) {
    const auto train = LoadDataset("cifar100", given, Split::kTrain);
    ASSERT_TRUE(train.ok()) << train.status();
    EXPECT_THAT(train->labels, ElementsAre(0, 7, 3));
    EXPECT_EQ(train->classes, 8);
    EXPECT_EQ(train->channels, 3);
    EXPECT_THAT(train->images, Each(0x11));
    EXPECT_THAT(train->mean, ElementsAre(.50707519, .48654887, .44091785));
    const auto test = LoadDataset("cifar100", given, Split::kTest);
    ASSERT_TRUE(test.ok()) << test.status();
    EXPECT_THAT(test->labels, ElementsAre(7));
  }
  WriteTestFile(below + "/test", batch({8}));
  EXPECT_THAT(LoadDataset("cifar100", folder, Split::kTest),
              IsDataError(HasSubstr("python/test: label of image 0 is 8")));
  EXPECT_THAT(LoadDataset("cifar10", folder, Split::kTrain),
              IsDataError(HasSubstr("nor pickles, here or in " + folder +
                                    "/cifar-10-batches-py")));
}

TEST(DatasetTest, LoadsFashionMnist) {
  const std::string folder =
      absl::StrCat(std::getenv("TEST_SRCDIR"), "/fashion_mnist/data");
  const auto test = LoadDataset("fashion-mnist", folder, Split::kTest);
  ASSERT_TRUE(test.ok()) << test.status();
  EXPECT_EQ(test->size(), 10000);
  const auto train = LoadDataset("fashion-mnist", folder, Split::kTrain);
  ASSERT_TRUE(train.ok()) << train.status();
  EXPECT_EQ(train->size(), 60000);
  EXPECT_EQ(train->images.size(), 60000u * 28 * 28);
  for (const Dataset& dataset : {*train, *test}) {
    EXPECT_EQ(dataset.channels, 1);
    EXPECT_EQ(dataset.height, 28);
    EXPECT_EQ(dataset.width, 28);
    EXPECT_EQ(dataset.classes, 10);
    ASSERT_EQ(dataset.class_names.size(), 10u);
    EXPECT_EQ(dataset.class_names[9], "Ankle boot");
    EXPECT_THAT(dataset.mean, ElementsAre(DoubleNear(.2860, kHalfDigit)));
    EXPECT_THAT(dataset.standard_deviation,
                ElementsAre(DoubleNear(.3530, kHalfDigit)));
    // Each class has its tenth.
    std::vector<int64_t> counts(10);
    for (const uint8_t label : dataset.labels) ++counts[label];
    EXPECT_THAT(counts, Each(dataset.size() / 10));
  }
}

TEST(DatasetTest, PublishedNormalizations) {
  const absl::StatusOr<PublishedNormalization> cifar =
      FindPublishedNormalization("CIFAR-100");
  ASSERT_TRUE(cifar.ok());
  EXPECT_EQ(cifar->mean[2], .44091785);
  EXPECT_EQ(cifar->standard_deviation[0], .26733428);
  EXPECT_TRUE(FindPublishedNormalization("mnist")->mean.empty());
  EXPECT_FALSE(FindPublishedNormalization("imagenet").ok());
}

}  // namespace
}  // namespace fairdarts
