#include "training/model_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/file.h"
#include "fairdarts/runtime/model_file.h"
#include "tests/golden/golden_data.h"
#include "tests/status_matchers.h"

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
  options.images = ImageForm{28, {{1, 2, 3}, {4, 5, 6}}};
  const Found found = Find(options);
  ASSERT_THAT(found.source, IsOk());
  const auto model = ModelFile::Parse(found.source->bytes, "model");
  ASSERT_THAT(model, IsOk());
  EXPECT_EQ(model->description().network.image_size, 28);
  EXPECT_THAT(model->description().normalization.std, ElementsAre(4, 5, 6));
}

TEST(ModelSourceTest, AnotherGenotypeIsNamedWithTheOneThatFits) {
  const Found found =
      Find(Options(Checkpoint("FairDARTS_b.zip.tar"), "DARTS_V2"));
  EXPECT_THAT(found.source, ExitCodeIs(ExitCode::kModelFile));
  const std::string message(found.source.status().message());
  EXPECT_THAT(message, HasSubstr("FairDARTS_b.zip.tar: not the weights of "
                                 "fairdarts/DARTS_V2: "));
  EXPECT_THAT(message, HasSubstr("cells.0._ops."));
  EXPECT_THAT(message,
              HasSubstr("its tensors are those of fairdarts/FairDARTS_b"));
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

}  // namespace
}  // namespace fairdarts
