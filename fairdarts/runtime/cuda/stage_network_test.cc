// Lowered networks against the CPU's sessions: every published genotype, cut
// into blocks as small and as large devices would.

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "fairdarts/runtime/cuda/host_network.h"
#include "fairdarts/runtime/cuda/stage_plan.h"
#include "fairdarts/runtime/cuda/stage_schedule.h"
#include "fairdarts/runtime/golden_networks.h"
#include "fairdarts/runtime/session.h"
#include "fairdarts/runtime/testing.h"
#include "genotypes/catalog.h"
#include "tests/golden/filler.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

constexpr int kBatch = 3;

// Both round as session_test says of one: some thousand times, by at most 2^-24
// of what is summed and in either direction; here less deep and narrower.
constexpr double kTolerance = 1e-5;

// Narrow networks, whose channels fill no vector, and few cells of an odd size.
NetworkConfig Cifar() {
  NetworkConfig config;
  config.init_channels = 6;
  config.layers = 5;
  config.image_size = 13;
  return config;
}

NetworkConfig ImageNet() {
  NetworkConfig config;
  config.kind = NetworkConfig::Kind::kImageNet;
  config.init_channels = 4;
  config.layers = 3;
  config.image_size = 200;
  config.classes = 21;
  return config;
}

void Compare(const ModelDescription& description, const StageDevice& device) {
  const FilledTensors filled(description, 5);
  absl::StatusOr<std::string> bytes =
      SerializeModelFile(description, filled.tensors());
  ASSERT_THAT(bytes, IsOk());
  absl::StatusOr<Session> session = Session::LoadBytes(*bytes, "filled");
  ASSERT_THAT(session, IsOk());
  const std::vector<float> images =
      GoldenImages("x", kBatch * session->image_floats(), 5);
  std::vector<float> expected(kBatch * session->classes());
  ASSERT_THAT(session->Run(images, absl::MakeSpan(expected)), IsOk());

  const absl::StatusOr<ModelFile> file = ModelFile::Parse(*bytes, "filled");
  ASSERT_THAT(file, IsOk());
  const absl::StatusOr<StagePlan> plan = LowerPlan(*file, Precision::kFloat32);
  ASSERT_THAT(plan, IsOk());
  const absl::StatusOr<StageSchedule> schedule =
      ScheduleStages(*plan, kBatch, device, /*library_convolutions=*/false);
  ASSERT_THAT(schedule, IsOk());
  EXPECT_LE(Off(RunOnHost(*plan, *schedule, images), expected), kTolerance);
}

TEST(StageNetworkTest, EveryPublishedGenotypeIsTheCpusNetwork) {
  for (const CatalogEntry& entry : Catalog()) {
    SCOPED_TRACE(entry.key());
    Compare(DescriptionOf(entry.genotype, Cifar()), StageDevice());
  }
}

TEST(StageNetworkTest, ItIsTheSameForEveryDevice) {
  for (const int multiprocessors : {1, 7, 1000}) {
    for (const int64_t kilobytes : {100, 164, 228}) {
      SCOPED_TRACE(absl::StrCat(multiprocessors, " ", kilobytes));
      StageDevice device;
      device.multiprocessors = multiprocessors;
      device.multiprocessor_shared_bytes = kilobytes * 1024;
      // Wide enough for several tiles of columns and chunks of depth.
      NetworkConfig config = Cifar();
      config.init_channels = 30;
      config.layers = 3;
      Compare(DescriptionOf(Catalog()[2].genotype, config), device);
    }
  }
}

// Where the last nodes fill no vector, the classifier reads them with gaps.
TEST(StageNetworkTest, AnAverageOfChannelsWithGaps) {
  for (const int channels : {4, 6, 10}) {
    SCOPED_TRACE(channels);
    NetworkConfig config = Cifar();
    config.layers = 1;
    config.init_channels = channels;
    Compare(DescriptionOf(Catalog()[2].genotype, config), StageDevice());
  }
}

TEST(StageNetworkTest, ImageNetsStemAndWindow) {
  Compare(DescriptionOf(Catalog()[2].genotype, ImageNet()), StageDevice());
}

}  // namespace
}  // namespace fairdarts
