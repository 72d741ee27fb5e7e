// cuDNN on the machine's GPU: every dense convolution of the catalog's networks
// by its definition, eagerly and from a graph, and the same bits each time.

#include <cmath>
#include <cstring>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "fairdarts/runtime/cuda/convolution_reference.h"
#include "fairdarts/runtime/cuda/convolution_weights.h"
#include "fairdarts/runtime/cuda/cudnn_library.h"
#include "fairdarts/runtime/cuda/cudnn_resources.h"
#include "fairdarts/runtime/cuda/driver.h"
#include "fairdarts/runtime/cuda/resources.h"
#include "fairdarts/runtime/cuda/stage_convolutions.h"
#include "fairdarts/runtime/cuda/stage_plan.h"
#include "fairdarts/runtime/cuda/stage_schedule.h"
#include "fairdarts/runtime/testing.h"
#include "genotypes/catalog.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

constexpr int kBatch = 2;
constexpr int64_t kWorkspace = int64_t{64} << 20;

void* At(CUdeviceptr memory) { return reinterpret_cast<void*>(memory); }

// A published network, as far as its convolutions go.
ModelDescription Published(const CatalogEntry& entry,
                           NetworkConfig::Kind kind) {
  NetworkConfig config;
  config.kind = kind;
  config.layers = 3;
  const bool is_cifar = kind == NetworkConfig::Kind::kCifar;
  config.init_channels = is_cifar ? 36 : 48;
  config.image_size = is_cifar ? 32 : 224;
  return DescriptionOf(entry.genotype, config);
}

// What makes a plan's convolutions those of another.
std::string Convolutions(const StagePlan& plan) {
  std::string text;
  for (const StageTask& task : plan.tasks) {
    if (!IsPlainConvolution(plan, task)) continue;
    const StageSegment& segment = plan.segments[task.first_segment];
    absl::StrAppend(&text, segment.in.pitch, " ", segment.in.channels, " ",
                    segment.in.height, " ", segment.in.width, " ",
                    segment.kernel_height, " ", segment.kernel_width, " ",
                    segment.stride_height, " ", segment.stride_width, " ",
                    segment.dilation, " ", task.out.pitch, " ",
                    task.out.channels, " ", task.relu, ", ");
  }
  return text;
}

class CudnnGpuTest : public testing::Test {
 protected:
  void SetUp() override {
    const absl::StatusOr<const CudaDriver*> driver = SystemCudaDriver();
    ASSERT_THAT(driver, IsOk());
    driver_ = *driver;
    const absl::StatusOr<CudaDevice> device = OpenCudaDevice(*driver_, 0);
    ASSERT_THAT(device, IsOk());
    device_.multiprocessors = device->multiprocessors;
    device_.shared_bytes = device->shared_bytes;
    device_.multiprocessor_shared_bytes = device->multiprocessor_shared_bytes;
    absl::StatusOr<PrimaryContext> context =
        PrimaryContext::Retain(*driver_, device->device);
    ASSERT_THAT(context, IsOk());
    context_.emplace(*std::move(context));
    current_.emplace(*driver_, context_->get());
    ASSERT_EQ(current_->result(), CUDA_SUCCESS);
    const absl::StatusOr<const Cudnn*> cudnn = SystemCudnn();
    // Sessions do without it, too.
    if (!cudnn.ok()) GTEST_SKIP() << cudnn.status().message();
    cudnn_ = *cudnn;
    absl::StatusOr<CudnnHandle> handle = CudnnHandle::Create(*cudnn_);
    ASSERT_THAT(handle, IsOk());
    handle_.emplace(*std::move(handle));
    absl::StatusOr<CudaOwnStream> stream = CreateStream(*driver_);
    ASSERT_THAT(stream, IsOk());
    stream_ = *std::move(stream);
    ASSERT_THAT(handle_->SetStream(stream_.get()), IsOk());
  }

  void TearDown() override {
    handle_.reset();
    stream_ = CudaOwnStream();
    current_.reset();
  }

  absl::Status Check(CUresult result) {
    return CudaCheck(*driver_, result, "a test");
  }

  absl::Status Upload(const void* from, CUdeviceptr to, size_t bytes) {
    FD_RETURN_IF_ERROR(
        Check(driver_->cuMemcpyHtoDAsync(to, from, bytes, stream_.get())));
    return Check(driver_->cuStreamSynchronize(stream_.get()));
  }
  absl::Status Download(CUdeviceptr from, void* to, size_t bytes) {
    FD_RETURN_IF_ERROR(
        Check(driver_->cuMemcpyDtoHAsync(to, from, bytes, stream_.get())));
    return Check(driver_->cuStreamSynchronize(stream_.get()));
  }

  template <typename T>
  void CheckConvolutions(const StagePlan& plan);
  void CheckGraph(const StageConvolutions& convolutions,
                  const StageSchedule& schedule, CUdeviceptr arena,
                  const void* start, const void* result, size_t bytes);

  const CudaDriver* driver_ = nullptr;
  StageDevice device_;
  absl::optional<PrimaryContext> context_;
  absl::optional<CurrentContext> current_;
  const Cudnn* cudnn_ = nullptr;
  absl::optional<CudnnHandle> handle_;
  CudaOwnStream stream_;
};

template <typename T>
void CudnnGpuTest::CheckConvolutions(const StagePlan& plan) {
  const absl::StatusOr<StageSchedule> schedule =
      ScheduleStages(plan, kBatch, device_, /*library_convolutions=*/true);
  ASSERT_THAT(schedule, IsOk());
  CudnnTarget target;
  target.handle = handle_->get();
  absl::StatusOr<StageConvolutions> convolutions =
      StageConvolutions::Create(*cudnn_, target, plan, *schedule, kWorkspace);
  ASSERT_THAT(convolutions, IsOk());
  const ConvolutionWeights weights = UnpackConvolutions(plan);

  std::vector<T> host(schedule->arena_elements);
  const size_t bytes = host.size() * sizeof(T);
  const absl::StatusOr<CudaMemory> arena =
      AllocateOnDevice(*driver_, static_cast<int64_t>(bytes));
  ASSERT_THAT(arena, IsOk());
  const absl::StatusOr<CudaMemory> on_gpu =
      AllocateOnDevice(*driver_, static_cast<int64_t>(weights.bytes.size()));
  ASSERT_THAT(on_gpu, IsOk());
  const absl::StatusOr<CudaMemory> workspace =
      AllocateOnDevice(*driver_, convolutions->workspace_bytes() + 256);
  ASSERT_THAT(workspace, IsOk());
  std::mt19937 random(11);
  std::uniform_real_distribution<float> some(-1, 1);
  for (T& element : host) element = FromFloat<T>(some(random));
  const std::vector<T> start = host;
  ASSERT_THAT(Upload(host.data(), arena->get(), bytes), IsOk());
  ASSERT_THAT(Upload(weights.bytes.data(), on_gpu->get(), weights.bytes.size()),
              IsOk());
  ASSERT_THAT(convolutions->Bind(weights, At(arena->get()), At(on_gpu->get()),
                                 At(workspace->get())),
              IsOk());

  int found = 0;
  for (size_t i = 0; i < schedule->launches.size(); ++i) {
    const StageLaunch& launch = schedule->launches[i];
    if (launch.kind != StageLaunch::Kind::kConvolution) continue;
    SCOPED_TRACE(i);
    ++found;
    ASSERT_THAT(convolutions->Execute(static_cast<int>(i), handle_->get()),
                IsOk());
    const std::vector<T> before = host;
    ASSERT_THAT(Download(arena->get(), host.data(), bytes), IsOk());

    const StageTask& task = schedule->tasks[launch.first_task];
    const StageSegment& segment = schedule->segments[task.first_segment];
    std::vector<bool> written(host.size());
    int wrong = 0;
    for (int n = 0; n < kBatch; ++n) {
      for (int y = 0; y < task.out.height; ++y) {
        for (int x = 0; x < task.out.width; ++x) {
          for (int k = 0; k < task.out.channels; ++k) {
            const int64_t element =
                task.out.offset +
                ((int64_t{n} * task.out.height + y) * task.out.width + x) *
                    task.out.pitch +
                k;
            const ReferenceElement expected = ReferenceConvolution(
                plan, *schedule, task, before.data(), n, y, x, k);
            written[element] = true;
            wrong += !(std::abs(ToFloat(host[element]) - expected.value) <=
                       ConvolutionTolerance<T>(segment, expected));
          }
        }
      }
    }
    for (size_t e = 0; e < host.size(); ++e) {
      wrong += !written[e] && ToFloat(host[e]) != ToFloat(before[e]);
    }
    EXPECT_EQ(wrong, 0);
  }
  EXPECT_GE(found, 1);
  CheckGraph(*convolutions, *schedule, arena->get(), start.data(), host.data(),
             bytes);
}

// The same bits from a graph, more than once.
void CudnnGpuTest::CheckGraph(const StageConvolutions& convolutions,
                              const StageSchedule& schedule, CUdeviceptr arena,
                              const void* start, const void* result,
                              size_t bytes) {
  ASSERT_THAT(Check(driver_->cuStreamBeginCapture(
                  stream_.get(), CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)),
              IsOk());
  absl::Status executed;
  for (size_t i = 0; i < schedule.launches.size(); ++i) {
    if (schedule.launches[i].kind != StageLaunch::Kind::kConvolution) continue;
    executed.Update(convolutions.Execute(static_cast<int>(i), handle_->get()));
  }
  CUgraph captured = nullptr;
  ASSERT_THAT(Check(driver_->cuStreamEndCapture(stream_.get(), &captured)),
              IsOk());
  const CudaGraph graph(captured, driver_->cuGraphDestroy);
  ASSERT_THAT(executed, IsOk());
  CUgraphExec instance = nullptr;
  ASSERT_THAT(Check(driver_->cuGraphInstantiate(&instance, captured, 0)),
              IsOk());
  const CudaGraphExec exec(instance, driver_->cuGraphExecDestroy);
  std::vector<char> again(bytes);
  for (int run = 0; run < 3; ++run) {
    ASSERT_THAT(Upload(start, arena, bytes), IsOk());
    ASSERT_THAT(Check(driver_->cuGraphLaunch(exec.get(), stream_.get())),
                IsOk());
    ASSERT_THAT(Download(arena, again.data(), bytes), IsOk());
    EXPECT_EQ(std::memcmp(again.data(), result, bytes), 0);
  }
}

TEST_F(CudnnGpuTest, EveryPublishedNetworksConvolutions) {
  std::set<std::string> done;
  for (const CatalogEntry& entry : Catalog()) {
    for (const NetworkConfig::Kind kind :
         {NetworkConfig::Kind::kCifar, NetworkConfig::Kind::kImageNet}) {
      const ModelFile file = FilledModel(Published(entry, kind), 3);
      for (const Precision precision :
           {Precision::kFloat32, Precision::kFloat16, Precision::kBFloat16}) {
        SCOPED_TRACE(absl::StrCat(entry.key(), ", precision ",
                                  static_cast<int>(precision)));
        const absl::StatusOr<StagePlan> plan = LowerPlan(file, precision);
        ASSERT_THAT(plan, IsOk());
        // Most networks begin alike.
        if (!done.insert(absl::StrCat(static_cast<int>(precision), ": ",
                                      Convolutions(*plan)))
                 .second) {
          continue;
        }
        switch (precision) {
          case Precision::kFloat32:
            CheckConvolutions<float>(*plan);
            break;
          case Precision::kFloat16:
            CheckConvolutions<Half>(*plan);
            break;
          case Precision::kBFloat16:
            CheckConvolutions<BFloat16>(*plan);
            break;
        }
        if (HasFatalFailure()) return;
      }
    }
  }
  EXPECT_GE(done.size(), 6u);
}

}  // namespace
}  // namespace fairdarts
