#include "training/network_weights.h"

#include <torch/utils.h>

#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "genotypes/catalog.h"
#include "search_space/network_factory.h"
#include "tests/golden/fill_module.h"
#include "tests/golden/golden.h"
#include "tests/golden/golden_data.h"
#include "tests/status_matchers.h"
#include "tests/tensor_near.h"
#include "training/data/stripes.h"
#include "training/model_source.h"

namespace fairdarts {
namespace {

// What two float32 computations of these small networks may differ by: a few
// roundings a layer, as search_space/network_factory_test.cc has measured it
// against float64 for networks of twice the depth.
constexpr double kEvalError = 4 * 7.5e-7;

torch::Tensor Logits(DerivedNetwork& network, const torch::Tensor& images) {
  const torch::NoGradGuard no_gradients;
  network.eval();
  return network.Logits(images);
}

struct Checkpoint {
  const char* file;  // of torch.save
  const char* genotype;
  const char* logits;  // the golden row
};

class CheckpointTest : public testing::TestWithParam<Checkpoint> {};

TEST_P(CheckpointTest, EvaluatesToTheExpectedLogits) {
  const Checkpoint& checkpoint = GetParam();
  ModelSourceOptions options;
  options.model_path =
      GoldenPath(absl::StrCat("checkpoints/", checkpoint.file));
  options.genotype = checkpoint.genotype;
  std::ostringstream said;
  RunLog log(said, said, /*terminal=*/false, /*columns=*/80);
  const auto source = FindModelSource(options, log);
  ASSERT_THAT(source, IsOk());
  const auto model = ModelFile::Parse(source->bytes, checkpoint.file);
  ASSERT_THAT(model, IsOk());
  const auto network = LoadNetwork(*model);
  ASSERT_THAT(network, IsOk());
  const GoldenFile golden("checkpoints/expected_logits.safetensors");
  EXPECT_THAT(Logits(**network, GoldenImagesTensor("x", {2, 3, 32, 32}, 47)),
              TensorNear(golden.Get(checkpoint.logits), {0, kEvalError}));
}

INSTANTIATE_TEST_SUITE_P(
    Files, CheckpointTest,
    testing::Values(
        Checkpoint{"DARTS_V2.zip.tar", "DARTS_V2", "DARTS_V2"},
        Checkpoint{"FairDARTS_a.legacy.tar", "FairDARTS_a", "FairDARTS_a"},
        Checkpoint{"FairDARTS_b.dataparallel_thop.tar", "FairDARTS_b",
                   "FairDARTS_b"},
        Checkpoint{"FairDARTS_b.fp16.tar", "FairDARTS_b", "FairDARTS_b.fp16"},
        Checkpoint{"FairDARTS_b.legacy.tar", "FairDARTS_b", "FairDARTS_b"},
        Checkpoint{"FairDARTS_b.zip.tar", "FairDARTS_b", "FairDARTS_b"}));

TEST(NetworkWeightsTest, WhatIsWrittenIsRead) {
  for (const char* const name : {"FairDARTS_c", "DARTS_V2"}) {
    NetworkConfig config = NetworkConfig::Cifar();
    config.init_channels = 4;
    config.layers = 3;
    config.classes = 2;
    config.image_size = 28;
    config.image_channels = 1;
    config.auxiliary = true;
    const auto network =
        MakeDerivedNetwork(FindInCatalog(name)->entry->genotype, config);
    ASSERT_THAT(network, IsOk());
    FillModule(**network, 5);
    const auto bytes =
        SerializeNetwork(**network, DescribeNetwork(**network, Stripes(4)));
    ASSERT_THAT(bytes, IsOk());
    const auto model = ModelFile::Parse(*bytes, "model");
    ASSERT_THAT(model, IsOk());
    const auto read = LoadNetwork(*model);
    ASSERT_THAT(read, IsOk());
    EXPECT_FALSE((*read)->config().auxiliary);
    const torch::Tensor images = GoldenImagesTensor("x", {2, 1, 28, 28}, 5);
    EXPECT_TRUE(Logits(**read, images).equal(Logits(**network, images)));
  }
}

}  // namespace
}  // namespace fairdarts
