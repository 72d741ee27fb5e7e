#include "training/export/model_tensors.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "fairdarts/base/safetensors.h"
#include "fairdarts/base/status.h"
#include "fairdarts/runtime/network_graph.h"
#include "fairdarts/runtime/session.h"
#include "genotypes/catalog.h"
#include "tests/golden/filler.h"
#include "tests/golden/golden_data.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::FloatNear;
using ::testing::Pointwise;

constexpr uint64_t kImageSeed = 47;
constexpr float kTolerance = 1e-5f;  // of the largest logit, as inference has

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

// As its users call it.
absl::StatusOr<std::vector<TensorToWrite>> Tensors(
    const ModelDescription& description, std::vector<NamedTensor>* state_dict,
    ImportReport* report) {
  FD_RETURN_IF_ERROR(NormalizeStateDict({}, state_dict, report));
  return ModelTensors(description, state_dict, report);
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
      Tensors(description, &checkpoint->state_dict, &report);
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

  // And inference gives the reference's logits of the checkpoint.
  absl::StatusOr<Session> session = Session::Load(path);
  ASSERT_THAT(session, IsOk());
  const std::vector<float> x =
      GoldenImages("x", 2 * session->image_floats(), kImageSeed);
  std::vector<float> logits(2 * session->classes());
  ASSERT_THAT(session->Run(x, absl::MakeSpan(logits)), IsOk());
  const absl::StatusOr<SafetensorsFile> golden = SafetensorsFile::Load(
      GoldenPath("checkpoints/expected_logits.safetensors"));
  ASSERT_THAT(golden, IsOk());
  const absl::StatusOr<TensorView> row = golden->Find(
      absl::StrCat(GetParam().genotype, GetParam().half ? ".fp16" : ""));
  ASSERT_THAT(row, IsOk());
  std::vector<float> expected(logits.size());
  ASSERT_EQ(row->data.size(), expected.size() * sizeof(float));
  std::memcpy(expected.data(), row->data.data(), row->data.size());
  float largest = 0;
  for (const float logit : expected) {
    largest = std::max(largest, std::abs(logit));
  }
  EXPECT_THAT(logits, Pointwise(FloatNear(kTolerance * largest), expected));
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
  EXPECT_THAT(Tensors(CheckpointDescription("FairDARTS_a"),
                      &checkpoint->state_dict, &report),
              ExitCodeIs(ExitCode::kModelFile));
}

// Node 3 is fed by nothing: upstream makes the operation that reads it and
// never runs it, so its checkpoints hold tensors that no network here has.
TEST(ModelTensorsOfUnusedEdgesTest, AreIgnoredAndCounted) {
  ModelDescription description = CheckpointDescription("FairDARTS_a");
  std::vector<GenotypeEdge>& edges = description.genotype.normal.edges;
  ASSERT_TRUE(
      std::none_of(edges.begin(), edges.end(),
                   [](const GenotypeEdge& edge) { return edge.to == 3; }));
  const auto state_dict = [] {
    absl::StatusOr<TorchCheckpoint> checkpoint =
        ReadTorchCheckpoint(GoldenPath("checkpoints/FairDARTS_a.legacy.tar"));
    EXPECT_THAT(checkpoint, IsOk());
    // As if the edge below had been there.
    NamedTensor surplus = checkpoint->state_dict.front();
    surplus.name = "cells.0._ops.5.3.0.op.1.weight";
    checkpoint->state_dict.push_back(std::move(surplus));
    return checkpoint->state_dict;
  };
  std::vector<NamedTensor> without = state_dict();
  ImportReport report;
  EXPECT_THAT(Tensors(description, &without, &report),
              ExitCodeIs(ExitCode::kModelFile));

  edges.push_back({Primitive::kSepConv3x3, 5, 3, 1});
  std::vector<NamedTensor> with = state_dict();
  report = ImportReport();
  EXPECT_THAT(Tensors(description, &with, &report), IsOk());
  EXPECT_EQ(report.unused_ignored, 1);
}

}  // namespace
}  // namespace fairdarts
