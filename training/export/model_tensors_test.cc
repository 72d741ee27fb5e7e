#include "training/export/model_tensors.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "fairdarts/runtime/network_graph.h"
#include "fairdarts/runtime/testing.h"
#include "genotypes/catalog.h"
#include "tests/golden/golden_data.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

constexpr uint64_t kSeed = 3;

ModelDescription CheckpointDescription(const std::string& name) {
  ModelDescription description;
  description.genotype = FindInCatalog(name)->entry->genotype;
  description.network.init_channels = 4;
  description.network.layers = 3;
  description.normalization = {{0.5, 0.5, 0.5}, {0.25, 0.25, 0.25}};
  return description;
}

struct Checkpoint {
  const char* genotype;
  const char* file;
  const char* plain;
  bool half = false;
};

std::ostream& operator<<(std::ostream& os, const Checkpoint& checkpoint) {
  return os << checkpoint.file;
}

class ModelTensorsTest : public testing::TestWithParam<Checkpoint> {};

TEST_P(ModelTensorsTest, ModelOfACheckpoint) {
  const ModelDescription description =
      CheckpointDescription(GetParam().genotype);
  absl::StatusOr<TorchCheckpoint> checkpoint = ReadTorchCheckpoint(
      GoldenPath(absl::StrCat("checkpoints/", GetParam().file)));
  ASSERT_THAT(checkpoint, IsOk());
  ImportReport report;
  const absl::StatusOr<std::vector<TensorToWrite>> tensors =
      ModelTensors(description, &checkpoint->state_dict, &report);
  ASSERT_THAT(tensors, IsOk());
  const std::string path =
      absl::StrCat(testing::TempDir(), "/", GetParam().file, ".st");
  ASSERT_THAT(WriteModelFile(path, description, *tensors), IsOk());
  const absl::StatusOr<ModelFile> file = ModelFile::Load(path);
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ(file->description().genotype, description.genotype);

  // The tensors are those of the plain checkpoint of this genotype.
  const absl::StatusOr<TorchCheckpoint> plain = ReadTorchCheckpoint(
      GoldenPath(absl::StrCat("checkpoints/", GetParam().plain)));
  ASSERT_THAT(plain, IsOk());
  size_t compared = 0;
  for (const NamedTensor& tensor : plain->state_dict) {
    if (absl::EndsWith(tensor.name, "num_batches_tracked") ||
        absl::StartsWith(tensor.name, "auxiliary_head.")) {
      continue;
    }
    ++compared;
    const TensorView& found = file->Tensor(tensor.name);
    if (!GetParam().half) {
      EXPECT_EQ(found.data, tensor.view.data) << tensor.name;
      continue;
    }
    for (int64_t i = 0; i < tensor.view.elements(); ++i) {
      float a, b;
      std::memcpy(&a, found.data.data() + i * sizeof(a), sizeof(a));
      std::memcpy(&b, tensor.view.data.data() + i * sizeof(b), sizeof(b));
      // Half a unit in the last of 11 bits; below 2^-14 those of 2^-24.
      ASSERT_NEAR(a, b, std::max(std::abs(b) * 0x1p-11, 0x1p-25))
          << tensor.name << " " << i;
    }
  }
  EXPECT_EQ(compared, ExpectedTensors(file->graph()).size());
}

INSTANTIATE_TEST_SUITE_P(
    Golden, ModelTensorsTest,
    testing::Values(
        Checkpoint{"DARTS_V2", "DARTS_V2.zip.tar", "DARTS_V2.zip.tar"},
        Checkpoint{"FairDARTS_a", "FairDARTS_a.legacy.tar",
                   "FairDARTS_a.legacy.tar"},
        Checkpoint{"FairDARTS_b", "FairDARTS_b.dataparallel_thop.tar",
                   "FairDARTS_b.zip.tar"},
        Checkpoint{"FairDARTS_b", "FairDARTS_b.fp16.tar", "FairDARTS_b.zip.tar",
                   true},
        Checkpoint{"FairDARTS_b", "FairDARTS_b.legacy.tar",
                   "FairDARTS_b.zip.tar"},
        Checkpoint{"FairDARTS_b", "FairDARTS_b.zip.tar",
                   "FairDARTS_b.zip.tar"}));

TEST(ModelTensorsErrorTest, AnotherGenotype) {
  absl::StatusOr<TorchCheckpoint> checkpoint =
      ReadTorchCheckpoint(GoldenPath("checkpoints/DARTS_V2.zip.tar"));
  ASSERT_THAT(checkpoint, IsOk());
  ImportReport report;
  EXPECT_THAT(ModelTensors(CheckpointDescription("FairDARTS_a"),
                           &checkpoint->state_dict, &report),
              ExitCodeIs(ExitCode::kModelFile));
}

TEST(ModelTensorsErrorTest, NumbersThatAreNotFinite) {
  const ModelDescription description = CheckpointDescription("FairDARTS_a");
  const FilledTensors filled(description, kSeed);
  std::vector<NamedTensor> state_dict;
  for (const TensorToWrite& tensor : filled.tensors()) {
    auto bytes = std::make_shared<std::string>(tensor.tensor.data);
    if (tensor.name == "stem.1.bias") {
      const float infinity = INFINITY;
      std::memcpy(&(*bytes)[2 * sizeof(float)], &infinity, sizeof(float));
    }
    const absl::string_view data = *bytes;
    state_dict.push_back({tensor.name,
                          {DType::kF32, tensor.tensor.shape, data},
                          std::move(bytes)});
  }
  ImportReport report;
  EXPECT_THAT(ModelTensors(description, &state_dict, &report),
              StatusIs(absl::StatusCode::kDataLoss,
                       "tensor stem.1.bias holds inf at 2"));
}

}  // namespace
}  // namespace fairdarts
