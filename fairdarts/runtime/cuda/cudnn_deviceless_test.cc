// The machine's cuDNN, without a GPU: it plans every dense convolution of the
// catalog's networks for GPUs that are described to it. Skipped where there is
// no cuDNN, or one that wants other descriptions.

#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fairdarts/runtime/cuda/cudnn_convolution.h"
#include "fairdarts/runtime/cuda/cudnn_library.h"
#include "fairdarts/runtime/cuda/cudnn_resources.h"
#include "fairdarts/runtime/cuda/stage_plan.h"
#include "fairdarts/runtime/testing.h"
#include "genotypes/catalog.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

// The least that must do for a batch of 64.
constexpr int64_t kWorkspace = int64_t{64} << 20;

struct Gpu {
  const char* name;
  int version;  // a hundred times the compute capability
  int multiprocessors;
  int shared_bytes;  // that a block can have
};

constexpr Gpu kGpus[] = {{"A100", 800, 108, 166912},
                         {"H100", 900, 132, 232448},
                         {"B200", 1000, 148, 232448}};

// As cuDNN 9.8 to 9.19 write a GPU down.
std::string Description(const Gpu& gpu) {
  return absl::StrCat(
      R"({"maxGridSize":[2147483647,65535,65535],)",
      R"("maxBlockSize":[1024,1024,64],"regsPerBlock":65536,)",
      R"("multiProcessorCount":)", gpu.multiprocessors,
      R"(,"warpSize":32,"maxSharedMemoryPerBlock":49152,)",
      R"("maxSharedMemoryPerBlockOptin":)", gpu.shared_bytes,
      R"(,"reservedSharedMemoryPerBlock":1024,"maxRegistersPerSM":65536,)",
      R"("maxCtasPerSM":32,"maxThreadsPerBlock":1024,)",
      R"("maxThreadsPerSM":2048,"pciDeviceId":0,"isTccDriver":0,)",
      R"("supportCoopLaunch":1,"smClockRateKHz":1410000,)",
      R"("memClockRateKHz":1512000,"l2CacheSize":41943040,"deviceVer":)",
      gpu.version,
      R"(,"driverVer":13000,"totalGlobalMem":85899345920,"cudaDeviceId":0,)",
      R"("deviceName":")", gpu.name, R"("})");
}

absl::StatusOr<CudnnDescriptor> Describe(const Cudnn& cudnn, const Gpu& gpu) {
  const std::string text = Description(gpu);
  return CudnnBuilder(cudnn, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, "a GPU")
      .Set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
           static_cast<int64_t>(text.size()), text.data())
      .Finalize();
}

// One of each kind of convolution of the published networks' widths.
std::vector<std::pair<StageTask, StageSegment>> Convolutions() {
  std::map<std::vector<int>, std::pair<StageTask, StageSegment>> found;
  for (const CatalogEntry& entry : Catalog()) {
    for (const NetworkConfig::Kind kind :
         {NetworkConfig::Kind::kCifar, NetworkConfig::Kind::kImageNet}) {
      NetworkConfig config;
      config.kind = kind;
      config.layers = 3;
      const bool is_cifar = kind == NetworkConfig::Kind::kCifar;
      config.init_channels = is_cifar ? 36 : 48;
      config.image_size = is_cifar ? 32 : 224;
      const ModelDescription description =
          DescriptionOf(entry.genotype, config);
      const absl::StatusOr<StagePlan> plan =
          LowerPlan(FilledModel(description, 3), Precision::kFloat32);
      EXPECT_THAT(plan, IsOk());
      for (const StageTask& task : plan->tasks) {
        if (!IsPlainConvolution(*plan, task)) continue;
        const StageSegment& segment = plan->segments[task.first_segment];
        const std::vector<int> key = {
            segment.in.pitch,     segment.in.channels,   segment.in.height,
            segment.in.width,     task.out.pitch,        task.out.channels,
            task.out.height,      task.out.width,        segment.kernel_height,
            segment.kernel_width, segment.stride_height, segment.stride_width,
            segment.dilation,     segment.pad_top,       segment.pad_left};
        found.insert({key, {task, segment}});
      }
    }
  }
  std::vector<std::pair<StageTask, StageSegment>> convolutions;
  for (const auto& [key, convolution] : found) {
    convolutions.push_back(convolution);
  }
  return convolutions;
}

TEST(CudnnDevicelessTest, HasAnEngineForEveryNetworkOnEveryGpu) {
  const absl::StatusOr<const Cudnn*> cudnn = SystemCudnn();
  if (!cudnn.ok()) GTEST_SKIP() << cudnn.status();
  const auto convolutions = Convolutions();
  // CIFAR's stem and ImageNet's three.
  EXPECT_GE(convolutions.size(), 4u);
  for (const Gpu& gpu : kGpus) {
    const absl::StatusOr<CudnnDescriptor> device = Describe(**cudnn, gpu);
    if (!device.ok()) GTEST_SKIP() << device.status();
    CudnnTarget target;
    target.device = device->get();
    for (const Precision precision :
         {Precision::kFloat32, Precision::kFloat16, Precision::kBFloat16}) {
      for (const int images : {1, 8, 64}) {
        for (const auto& [plan_task, segment] : convolutions) {
          StageTask task = plan_task;
          task.images = images;
          for (const int relu : {0, 1}) {
            task.relu = relu;
            const absl::StatusOr<CudnnConvolution> made =
                CudnnConvolution::Create(**cudnn, target, precision, task,
                                         segment, kWorkspace);
            ASSERT_THAT(made, IsOk()) << gpu.name;
            EXPECT_LE(made->workspace_bytes(), kWorkspace);
          }
        }
      }
    }
  }
}

// Views of channels, strides and paddings apart, no padding behind the map, and
// dilation: what networks of other descriptions may have.
TEST(CudnnDevicelessTest, TakesWhatCanBeDescribed) {
  const absl::StatusOr<const Cudnn*> cudnn = SystemCudnn();
  if (!cudnn.ok()) GTEST_SKIP() << cudnn.status();
  StageSegment segment = {};
  segment.in = {0, 24, 24, 28, 28};
  segment.kernel_height = segment.kernel_width = 3;
  segment.stride_height = segment.stride_width = 1;
  segment.dilation = 1;
  segment.pad_top = segment.pad_left = 1;
  StageTask task = {};
  task.out = {0, 48, 48, 28, 28};
  task.images = 2;
  task.segments = 1;
  std::vector<std::tuple<std::string, StageTask, StageSegment>> cases;
  const auto add = [&](const std::string& name) {
    cases.emplace_back(name, task, segment);
    return std::tie(std::get<1>(cases.back()), std::get<2>(cases.back()));
  };
  {
    auto [t, s] = add("views");
    s.in.pitch = 40;
    t.out.pitch = 96;
    t.relu = 1;
  }
  {
    auto [t, s] = add("dilation");
    s.dilation = 2;
    s.pad_top = s.pad_left = 2;
  }
  {
    auto [t, s] = add("no padding behind");
    s.stride_height = s.stride_width = 2;
    s.pad_top = s.pad_left = 0;
    t.out.height = t.out.width = 13;
  }
  {
    auto [t, s] = add("1x7");
    s.kernel_height = 1;
    s.kernel_width = 7;
    s.pad_top = 0;
    s.pad_left = 3;
    s.stride_width = 2;
    t.out.width = 14;
  }
  for (const Gpu& gpu : kGpus) {
    const absl::StatusOr<CudnnDescriptor> device = Describe(**cudnn, gpu);
    if (!device.ok()) GTEST_SKIP() << device.status();
    CudnnTarget target;
    target.device = device->get();
    for (const Precision precision :
         {Precision::kFloat32, Precision::kFloat16, Precision::kBFloat16}) {
      for (const auto& [name, t, s] : cases) {
        EXPECT_THAT(CudnnConvolution::Create(**cudnn, target, precision, t, s,
                                             kWorkspace),
                    IsOk())
            << name << ", " << gpu.name;
      }
    }
  }
}

}  // namespace
}  // namespace fairdarts
