#include "training/model_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/user_path.h"
#include "fairdarts/runtime/model_file.h"
#include "tests/golden/golden_data.h"
#include "tests/status_matchers.h"
#include "training/checkpoint/envelope.h"
#include "training/torch_import/torch_file.h"
#include "training/train_config.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Checkpoint(const char* file) {
  return GoldenPath(absl::StrCat("checkpoints/", file));
}

struct Found {
  absl::StatusOr<ModelSource> source = absl::UnknownError("not asked");
  std::string said;
};

Found Find(const ModelSourceOptions& options) {
  std::ostringstream out;
  RunLog log(out, out, /*terminal=*/false, /*columns=*/80);
  Found found;
  found.source = FindModelSource(options, log);
  found.said = out.str();
  return found;
}

ModelSourceOptions Options(const std::string& path,
                           const std::string& genotype) {
  ModelSourceOptions options;
  options.model_path = path;
  options.genotype = genotype;
  return options;
}

TEST(ModelSourceTest, TheTensorsSayTheSizes) {
  const Found found =
      Find(Options(Checkpoint("FairDARTS_b.zip.tar"), "FairDARTS_b"));
  ASSERT_THAT(found.source, IsOk());
  EXPECT_FALSE(found.source->is_model_file);
  const auto model = ModelFile::Parse(found.source->bytes, "model");
  ASSERT_THAT(model, IsOk());
  const NetworkConfig& network = model->description().network;
  EXPECT_EQ(network.init_channels, 4);
  EXPECT_EQ(network.layers, 3);
  EXPECT_EQ(network.classes, 10);
  EXPECT_EQ(network.image_size, 32);
  EXPECT_THAT(model->description().normalization.mean,
              ElementsAre(.49139968, .48215827, .44653124));
}

TEST(ModelSourceTest, TheImagesSayTheRest) {
  ModelSourceOptions options =
      Options(Checkpoint("FairDARTS_b.zip.tar"), "FairDARTS_b");
  options.images = [] { return ImageForm{28, {{1, 2, 3}, {4, 5, 6}}}; };
  const Found found = Find(options);
  ASSERT_THAT(found.source, IsOk());
  const auto model = ModelFile::Parse(found.source->bytes, "model");
  ASSERT_THAT(model, IsOk());
  EXPECT_EQ(model->description().network.image_size, 28);
  EXPECT_THAT(model->description().normalization.std, ElementsAre(4, 5, 6));
}

TEST(ModelSourceTest, AnotherGenotypeIsNamedWithTheOneThatFits) {
  ModelSourceOptions options =
      Options(Checkpoint("FairDARTS_b.zip.tar"), "DARTS_V2");
  bool loaded = false;
  options.images = [&] {
    loaded = true;
    return ImageForm();
  };
  const Found found = Find(options);
  EXPECT_THAT(found.source, ExitCodeIs(ExitCode::kModelFile));
  const std::string message(found.source.status().message());
  EXPECT_THAT(message, HasSubstr("FairDARTS_b.zip.tar: its tensors are those "
                                 "of fairdarts/FairDARTS_b, not of "
                                 "fairdarts/DARTS_V2: "));
  EXPECT_THAT(message, HasSubstr("tensors are missing (cells.0._ops."));
  EXPECT_FALSE(loaded);  // images take their time
}

TEST(ModelSourceTest, WithoutAGenotypeTheOneThatFitsIsNamed) {
  const Found found = Find(Options(Checkpoint("DARTS_V2.zip.tar"), ""));
  EXPECT_THAT(found.source, ExitCodeIs(ExitCode::kUsage));
  EXPECT_THAT(std::string(found.source.status().message()),
              HasSubstr("its tensors are those of fairdarts/DARTS_V2"));
}

TEST(ModelSourceTest, AModelFileSaysItAllItself) {
  const Found made = Find(Options(Checkpoint("DARTS_V2.zip.tar"), "DARTS_V2"));
  ASSERT_THAT(made.source, IsOk());
  const std::string path =
      absl::StrCat(::testing::TempDir(), "/model.safetensors");
  ASSERT_THAT(WriteFileAtomic(path, made.source->bytes), IsOk());
  const Found found = Find(Options(path, ""));
  ASSERT_THAT(found.source, IsOk());
  EXPECT_TRUE(found.source->is_model_file);
  EXPECT_TRUE(found.source->bytes == made.source->bytes);
  const Found refused = Find(Options(path, "DARTS_V2"));
  EXPECT_THAT(refused.source, ExitCodeIs(ExitCode::kUsage));
  EXPECT_THAT(std::string(refused.source.status().message()),
              HasSubstr("--genotype: "));
}

TEST(ModelSourceTest, WhatIsLeftOutIsSaid) {
  ModelSourceOptions options =
      Options(Checkpoint("DARTS_V2.zip.tar"), "DARTS_V2");
  options.auxiliary = true;
  const Found found = Find(options);
  EXPECT_THAT(found.said, HasSubstr("DARTS_V2.zip.tar: "));
  EXPECT_THAT(found.said, HasSubstr("ignored the auxiliary head"));
  EXPECT_THAT(found.said, Not(HasSubstr("has no auxiliary head")));
}

// A folder of this test with such files in it.
std::string Folder(const std::map<std::string, std::string>& files) {
  const std::string folder = UserPath(absl::StrCat(
      ::testing::TempDir(), "/",
      ::testing::UnitTest::GetInstance()->current_test_info()->name()));
  std::filesystem::remove_all(folder);
  for (const auto& [name, contents] : files) {
    const std::string path = absl::StrCat(folder, "/", name);
    std::filesystem::create_directories(
        std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << contents;
  }
  return folder;
}

std::string Model(const char* genotype) {
  const Found made = Find(Options(
      Checkpoint(absl::StrCat(genotype, ".zip.tar").c_str()), genotype));
  EXPECT_THAT(made.source, IsOk());
  return made.source.ok() ? made.source->bytes : "";
}

std::string Record(const char* valid_portion) {
  const char* const argv[] = {"train", "--valid_portion", valid_portion};
  const auto resolved = TrainFromCommandLine(3, argv);
  EXPECT_THAT(resolved, IsOk());
  return TrainConfigText(resolved->config);
}

TEST(ModelSourceTest, AParseMethodIsACheck) {
  const std::string path = Folder({{"model", Model("DARTS_V2")}}) + "/model";
  ModelSourceOptions options = Options(path, "");
  options.parse_method = GenotypeOptions::DARTS;
  EXPECT_THAT(Find(options).source, IsOk());
  options.parse_method = GenotypeOptions::THRESHOLD;
  EXPECT_THAT(Find(options).source,
              StatusIs(absl::StatusCode::kInvalidArgument,
                       absl::StrCat("parse_method threshold: the tuples of ",
                                    path, " are ")));
}

TEST(ModelSourceTest, OurFilesHaveNoAuxiliaryHead) {
  ModelSourceOptions options =
      Options(Folder({{"model", Model("DARTS_V2")}}) + "/model", "");
  options.auxiliary = true;
  const Found found = Find(options);
  EXPECT_THAT(found.source, IsOk());
  EXPECT_THAT(found.said, HasSubstr("/model: has no auxiliary head"));
}

TEST(ModelSourceTest, FlagsThatNameTwoThings) {
  ModelSourceOptions options = Options("nowhere", "");
  options.last = true;
  EXPECT_THAT(Find(options).source,
              StatusIs(absl::StatusCode::kInvalidArgument, "--weights=last: "));
  const std::string folder = Folder({{"best.safetensors", "x"}});
  EXPECT_THAT(Find(Options(folder, "")).source,
              StatusIs(absl::StatusCode::kInvalidArgument,
                       absl::StrCat("is given as --run=", folder)));
}

TEST(ModelSourceTest, ACheckpointIsNoModelFile) {
  const std::string step = "checkpoints/step-00000004.safetensors";
  std::string folder =
      Folder({{step, SealCheckpoint(RunKind::kTrain, {}, {})}});
  auto source = Find(Options(folder + "/" + step, "")).source;
  EXPECT_THAT(source, ExitCodeIs(ExitCode::kModelFile));
  EXPECT_THAT(std::string(source.status().message()),
              HasSubstr(absl::StrCat("is a checkpoint of a training, not a "
                                     "model file; give --run=",
                                     folder, " in place")));
  folder = Folder({{"x", SealCheckpoint(RunKind::kSearch, {}, {})}});
  source = Find(Options(folder + "/x", "")).source;
  EXPECT_THAT(source, ExitCodeIs(ExitCode::kModelFile));
  EXPECT_THAT(std::string(source.status().message()),
              HasSubstr("is a checkpoint of a search"));
}

TEST(ModelSourceTest, OtherFilesAreNeither) {
  std::string damaged = Model("DARTS_V2");
  damaged[8] ^= 1;
  for (const std::string& bytes :
       {std::string(), std::string("abcd"), std::string(8, '\0'), damaged}) {
    const auto source = Find(Options(Folder({{"x", bytes}}) + "/x", "")).source;
    EXPECT_THAT(source, ExitCodeIs(ExitCode::kModelFile));
    EXPECT_THAT(std::string(source.status().message()),
                HasSubstr("neither a model file (safetensors) nor a file of "
                          "torch.save"));
  }
}

TEST(ModelSourceTest, ARunWithoutWeightsIsNamed) {
  ModelSourceOptions options;
  const auto complaint = [&](const std::string& run) {
    options.run = run;
    const auto source = Find(options).source;
    EXPECT_THAT(source, ExitCodeIs(ExitCode::kUsage));
    return std::string(source.status().message());
  };
  EXPECT_EQ(complaint("/no/where"), "--run /no/where: there is no such folder");
  std::string folder = Folder({{"config.textproto", Record("0")}});
  EXPECT_THAT(complaint(folder), HasSubstr("no epoch of this training has "
                                           "ended yet"));
  EXPECT_THAT(complaint(folder), HasSubstr("train --resume="));
  EXPECT_THAT(complaint(folder + "/config.textproto"),
              HasSubstr("is a file; give the run's folder"));
  folder = Folder(
      {{"config.textproto", "# proto-message: fairdarts.SearchConfig\n"}});
  EXPECT_THAT(complaint(folder), HasSubstr("it is that of a search"));
  EXPECT_THAT(complaint(Folder({{"file", ""}})),
              HasSubstr("is no training's folder: it holds neither"));
}

TEST(ModelSourceTest, WithoutABestTheLastIsTakenAndWhyIsSaid) {
  const std::string model = Model("DARTS_V2");
  ModelSourceOptions options;
  for (const auto& [portion, why] :
       {std::pair<const char*, const char*>{"0", "no held-out images"},
        {"0.1", "best.safetensors is not there: takes last.safetensors"}}) {
    options.run = Folder(
        {{"config.textproto", Record(portion)}, {"last.safetensors", model}});
    const Found found = Find(options);
    ASSERT_THAT(found.source, IsOk());
    EXPECT_EQ(found.source->path, options.run + "/last.safetensors");
    EXPECT_THAT(found.said, HasSubstr(why));
  }
}

// In a model file and in a file of torch.save alike.
TEST(ModelSourceTest, NumbersThatAreNotFinite) {
  const float number = std::numeric_limits<float>::infinity();
  std::string model = Model("DARTS_V2");
  std::memcpy(&model[model.size() - sizeof(number)], &number, sizeof(number));
  EXPECT_THAT(Find(Options(Folder({{"x", model}}) + "/x", "")).source,
              StatusIs(absl::StatusCode::kDataLoss,
                       "/x: tensor classifier.bias holds inf at 9"));

  const std::string path = Checkpoint("FairDARTS_a.legacy.tar");
  const auto checkpoint = ReadTorchCheckpoint(path);
  auto bytes = ReadFile(path);
  ASSERT_THAT(checkpoint, IsOk());
  ASSERT_THAT(bytes, IsOk());
  for (const NamedTensor& tensor : checkpoint->state_dict) {
    if (tensor.name != "stem.1.bias") continue;
    const size_t place = bytes->find(std::string(tensor.view.data));
    ASSERT_NE(place, std::string::npos);
    std::memcpy(&(*bytes)[place + 2 * sizeof(number)], &number, sizeof(number));
  }
  EXPECT_THAT(
      Find(Options(Folder({{"x", *bytes}}) + "/x", "FairDARTS_a")).source,
      StatusIs(absl::StatusCode::kDataLoss,
               "/x: tensor stem.1.bias holds inf at 2"));
}

}  // namespace
}  // namespace fairdarts
