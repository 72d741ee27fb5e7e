#include "fairdarts/classifier/classify_command.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/safetensors.h"
#include "fairdarts/classifier/testing.h"
#include "fairdarts/image/testing.h"
#include "fairdarts/inference.h"
#include "fairdarts/runtime/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::HasSubstr;

struct Outcome {
  int code;
  std::string out;
  std::string err;
};

Outcome Classify(std::vector<std::string> arguments,
                 const std::string& standard_input = "") {
  std::vector<const char*> argv = {"classify"};
  for (const std::string& argument : arguments)
    argv.push_back(argument.c_str());
  std::istringstream in(standard_input);
  std::ostringstream out, err;
  const int code =
      ClassifyCommand(static_cast<int>(argv.size()), argv.data(), in, out, err);
  return {code, out.str(), err.str()};
}

std::vector<nlohmann::json> Objects(const std::string& lines) {
  std::vector<nlohmann::json> objects;
  for (const absl::string_view line :
       absl::StrSplit(lines, '\n', absl::SkipEmpty())) {
    objects.push_back(nlohmann::json::parse(std::string(line)));
  }
  return objects;
}

class ClassifyCommandTest : public testing::Test {
 protected:
  ClassifyCommandTest() {
    WriteTestModel(Path("grey"), TestModel(1));
    WriteTestModel(Path("colour"), TestModel(3));
  }

  static std::string Path(const std::string& name) {
    return testing::TempDir() + name;
  }

  std::string Write(const std::string& name, const std::string& bytes) {
    EXPECT_THAT(WriteFileAtomic(Path(name), bytes), IsOk());
    return Path(name);
  }

  const std::string grey_ = "--model=" + Path("grey");
  const std::string colour_ = "--model=" + Path("colour");
};

// The softmax of what a session says to pixels that are normalised here.
std::vector<double> Expected(const std::string& model, const Image& image) {
  absl::StatusOr<Session> session = Session::Load(model);
  EXPECT_THAT(session, IsOk());
  const Normalization& normalization = session->description().normalization;
  const std::string planes = PlanesOf(image);
  std::vector<float> input;
  for (size_t i = 0; i < planes.size(); ++i) {
    const size_t c = i / (image.width * image.height);
    input.push_back(static_cast<float>(
        (static_cast<uint8_t>(planes[i]) / 255.0 - normalization.mean[c]) /
        normalization.std[c]));
  }
  std::vector<float> logits(session->classes());
  EXPECT_THAT(session->Run(input, absl::MakeSpan(logits)), IsOk());
  double sum = 0;
  std::vector<double> probabilities;
  for (const float logit : logits) sum += std::exp(double{logit});
  for (const float logit : logits) {
    probabilities.push_back(std::exp(double{logit}) / sum);
  }
  return probabilities;
}

TEST_F(ClassifyCommandTest, ProbabilitiesAreThoseOfTheSession) {
  const Image picture = ColourPicture();
  const std::string path = Write("picture.png", EncodedPng(picture));
  const Outcome outcome = Classify({colour_, "--format=json", path});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const std::vector<double> expected = Expected(Path("colour"), picture);
  const std::vector<nlohmann::json> objects = Objects(outcome.out);
  ASSERT_EQ(objects.size(), 1u);
  EXPECT_EQ(objects[0]["image"], path);
  const nlohmann::json& classes = objects[0]["classes"];
  ASSERT_EQ(classes.size(), 3u);
  double sum = 0;
  double last = 1;
  for (const nlohmann::json& entry : classes) {
    const int index = entry["index"];
    EXPECT_EQ(entry["class"], TestModel(3).class_names[index]);
    // Roundings of doubles: exp of a logit here, of a difference there.
    EXPECT_NEAR(entry["probability"], expected[index], 1e-13);
    EXPECT_LE(entry["probability"], last);
    last = entry["probability"];
    sum += last;
  }
  EXPECT_NEAR(sum, 1, 1e-14);
}

TEST_F(ClassifyCommandTest, TheSamePixelsInEveryForm) {
  const Image squares = GreySquares();
  const std::string raw(squares.pixels.begin(), squares.pixels.end());
  const Outcome png =
      Classify({grey_, "--format=json", "-"}, EncodedPng(squares));
  EXPECT_EQ(png.code, 0) << png.err;
  EXPECT_THAT(png.out, HasSubstr("probability"));
  EXPECT_EQ(Classify({grey_, "--format=json", "-"}, EncodedJpeg(squares)).out,
            png.out);
  for (const char* const layout : {"--raw=chw", "--raw=hwc"}) {
    EXPECT_EQ(Classify({grey_, "--format=json", layout, "-"}, raw).out,
              png.out);
  }

  const Image picture = ColourPicture();
  const Outcome colour =
      Classify({colour_, "--format=json", "-"}, EncodedPng(picture));
  EXPECT_EQ(
      Classify({colour_, "--format=json", "--raw=chw", "-"}, PlanesOf(picture))
          .out,
      colour.out);
  const std::string pixels(picture.pixels.begin(), picture.pixels.end());
  EXPECT_EQ(Classify({colour_, "--format=json", "--raw=hwc", "-"}, pixels).out,
            colour.out);
  // The layouts are not the same thing.
  EXPECT_NE(Classify({colour_, "--format=json", "--raw=chw", "-"}, pixels).out,
            colour.out);
}

TEST_F(ClassifyCommandTest, ImagesOfOtherSizesAndKinds) {
  const ImageFixtures golden;
  std::vector<std::string> arguments = {colour_, "--top=1"};
  for (const std::string& name : golden.Names("files/")) {
    arguments.push_back(Write(name, golden.File(name)));
  }
  const Outcome outcome = Classify(arguments);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '%'),
            static_cast<int>(arguments.size()) - 2);
}

// More images than the network sees at a time, in every position of a batch.
TEST_F(ClassifyCommandTest, EachOfManyImagesIsAsOneAlone) {
  std::vector<std::string> arguments = {colour_, "--format=json",
                                        "--threads=2"};
  std::vector<std::string> alone;
  for (int i = 0; i < 150; ++i) {
    Image picture = ColourPicture();
    for (uint8_t& pixel : picture.pixels) pixel = uint8_t(pixel * (i % 7 + 1));
    const std::string path =
        Write(absl::StrCat("many", i % 7, ".png"), EncodedPng(picture));
    if (i < 7) alone.push_back(Classify({colour_, "--format=json", path}).out);
    arguments.push_back(path);
  }
  const Outcome outcome = Classify(arguments);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  std::string expected;
  for (int i = 0; i < 150; ++i) expected += alone[i % 7];
  EXPECT_EQ(outcome.out, expected);
}

TEST_F(ClassifyCommandTest, Text) {
  const std::string path = Write("t.png", EncodedPng(ColourPicture()));
  const Outcome outcome = Classify({colour_, "--top=2", path, path});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  const std::vector<std::string> lines = absl::StrSplit(outcome.out, '\n');
  ASSERT_EQ(lines.size(), 7u);
  EXPECT_EQ(lines[0], path);
  EXPECT_THAT(lines[1], testing::MatchesRegex(" +[0-9.]+ %  [a-z]+"));
  EXPECT_EQ(lines[3], path);
  EXPECT_EQ(lines[1], lines[4]);
}

TEST_F(ClassifyCommandTest, ABadImageAmongOthers) {
  const std::string good = Write("good.png", EncodedPng(ColourPicture()));
  const std::string bad = Write("bad.png", "no image");
  const std::string missing = Path("missing.png");
  const Outcome text = Classify({colour_, bad, good, missing, good});
  EXPECT_EQ(text.code, 3);
  EXPECT_EQ(std::count(text.out.begin(), text.out.end(), '%'), 6);
  EXPECT_EQ(std::count(text.err.begin(), text.err.end(), '\n'), 2);
  EXPECT_THAT(text.err,
              HasSubstr("classify: " + bad + ": is neither PNG nor JPEG"));
  EXPECT_THAT(text.err, HasSubstr("classify: " + missing + ": cannot open"));

  const Outcome json =
      Classify({colour_, "--format=json", bad, good, missing, good});
  EXPECT_EQ(json.code, 3);
  EXPECT_EQ(json.err, text.err);
  const std::vector<nlohmann::json> objects = Objects(json.out);
  ASSERT_EQ(objects.size(), 4u);
  EXPECT_THAT(std::string(objects[0]["error"]), HasSubstr("neither PNG"));
  EXPECT_EQ(objects[1]["classes"].size(), 3u);
  EXPECT_TRUE(objects[2].contains("error"));
  EXPECT_EQ(objects[3], objects[1]);
}

TEST_F(ClassifyCommandTest, RawImagesOfAnotherSize) {
  const Outcome outcome =
      Classify({colour_, "--raw=chw", "-"}, std::string(767, 'x'));
  EXPECT_EQ(outcome.code, 3);
  EXPECT_EQ(outcome.err,
            "classify: -: has 767 bytes; a raw image of 3x16x16 has 768\n");
  EXPECT_EQ(outcome.out, "");
}

TEST_F(ClassifyCommandTest, ANetworkOfOtherChannelsTakesRawImages) {
  WriteTestModel(Path("two"), TestModel(2));
  const std::string two = "--model=" + Path("two");
  const Outcome png = Classify({two, "-"}, EncodedPng(ColourPicture()));
  EXPECT_EQ(png.code, 2);
  EXPECT_THAT(png.err, HasSubstr("-: has 3 channels; the network takes 2"));
  EXPECT_EQ(Classify({two, "--raw=hwc", "-"}, std::string(512, 'x')).code, 0);
}

TEST_F(ClassifyCommandTest, ModelsThatAreNone) {
  const Outcome missing = Classify({"--model=" + Path("nowhere"), "-"});
  EXPECT_EQ(missing.code, 4);
  EXPECT_THAT(missing.err, HasSubstr("nowhere: cannot open"));
  const Outcome other =
      Classify({"--model=" + Write("other", "no model"), "-"});
  EXPECT_EQ(other.code, 4);
  EXPECT_EQ(std::count(other.err.begin(), other.err.end(), '\n'), 1);
}

TEST_F(ClassifyCommandTest, OutputsThatAreNotFinite) {
  const ModelDescription model = TestModel(3);
  const FilledTensors filled(model, 1);
  std::vector<TensorToWrite> tensors = filled.tensors();
  const std::vector<float> huge(1024, std::numeric_limits<float>::max());
  for (TensorToWrite& tensor : tensors) {
    if (tensor.name != "classifier.weight") continue;
    ASSERT_LE(tensor.tensor.data.size(), huge.size() * sizeof(float));
    tensor.tensor.data = absl::string_view(
        reinterpret_cast<const char*>(huge.data()), tensor.tensor.data.size());
  }
  ASSERT_THAT(WriteModelFile(Path("infinite"), model, tensors), IsOk());
  const Outcome outcome = Classify({"--model=" + Path("infinite"), "-"},
                                   EncodedPng(ColourPicture()));
  EXPECT_EQ(outcome.code, 5);
  EXPECT_THAT(outcome.err, HasSubstr("-: the network's output for class 0"));
}

TEST_F(ClassifyCommandTest, ClassesWithoutNamesAreNumbers) {
  ModelDescription model = TestModel(1);
  model.class_names.clear();
  WriteTestModel(Path("nameless"), model);
  const Outcome outcome =
      Classify({"--model=" + Path("nameless"), "-"}, EncodedPng(GreySquares()));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const char* const line : {" %  0\n", " %  1\n", " %  2\n"}) {
    EXPECT_THAT(outcome.out, HasSubstr(line));
  }
}

TEST_F(ClassifyCommandTest, AnEmptyStandardInput) {
  const Outcome outcome = Classify({colour_, "-"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_EQ(outcome.err, "classify: -: is empty\n");
}

TEST_F(ClassifyCommandTest, UsageAndHelp) {
  EXPECT_EQ(Classify({}).code, 2);
  const Outcome help = Classify({colour_, "--wrong", "-h"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, HasSubstr("usage: classify --model=FILE"));
}

}  // namespace
}  // namespace fairdarts
