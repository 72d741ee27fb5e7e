// Sessions whose dense convolutions cuDNN does, on a made-up GPU and with a
// made-up cuDNN.

#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fairdarts/runtime/cuda/cuda_session.h"
#include "fairdarts/runtime/cuda/fake_cudnn.h"
#include "fairdarts/runtime/cuda/fake_driver.h"
#include "fairdarts/runtime/cuda/resources.h"
#include "fairdarts/runtime/cuda/tolerances.h"
#include "fairdarts/runtime/golden_networks.h"
#include "fairdarts/runtime/testing.h"
#include "tests/golden/filler.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

class CudaSessionCudnnTest : public testing::Test {
 protected:
  CudaSessionCudnnTest() {
    cudnn_.append = [this](CUstream stream, FakeCudnn::Work work) {
      return gpu_.Append(stream, std::move(work));
    };
    cudnn_.translate = [this](void* pointer, int64_t bytes) {
      return gpu_.Translate(pointer, bytes);
    };
    options_.driver = &gpu_.driver();
    options_.cudnn = &cudnn_.cudnn();
    options_.convolutions = CudaConvolutions::kLibrary;
  }

  ~CudaSessionCudnnTest() override {
    EXPECT_EQ(cudnn_.live, 0);
    EXPECT_EQ(gpu_.Living(), "");
    EXPECT_FALSE(gpu_.freed_in_use());
  }

  absl::StatusOr<CudaSession> TryLoad(const ModelDescription& description) {
    const FilledTensors filled(description, 3);
    absl::StatusOr<std::string> bytes =
        SerializeModelFile(description, filled.tensors());
    EXPECT_THAT(bytes, IsOk());
    return CudaSession::LoadBytes(*std::move(bytes), "net.st", options_);
  }

  CudaSession LoadSession(const ModelDescription& description) {
    absl::StatusOr<CudaSession> session = TryLoad(description);
    EXPECT_THAT(session, IsOk());
    return *std::move(session);
  }

  // A run of one image on a stream that is being captured.
  void CaptureRun(CudaSession& session, CUstream stream) {
    const CudaDriver& driver = gpu_.driver();
    const absl::StatusOr<PrimaryContext> context =
        PrimaryContext::Retain(driver, 0);
    EXPECT_THAT(context, IsOk());
    const CurrentContext current(driver, context->get());
    EXPECT_EQ(driver.cuStreamBeginCapture(stream,
                                          CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
              CUDA_SUCCESS);
    EXPECT_THAT(session.RunAsync(gpu_.Device(session.image_floats()), 1,
                                 gpu_.Device(session.classes()), stream),
                IsOk());
    CUgraph graph = nullptr;
    EXPECT_EQ(driver.cuStreamEndCapture(stream, &graph), CUDA_SUCCESS);
    driver.cuGraphDestroy(graph);
  }

  FakeDriver gpu_;
  FakeCudnn cudnn_;
  CudaOptions options_;
};

ModelDescription DescriptionOfKind(NetworkConfig::Kind kind) {
  NetworkConfig config;
  config.kind = kind;
  config.init_channels = 4;
  config.layers = 3;
  config.image_size = kind == NetworkConfig::Kind::kCifar ? 8 : 200;
  config.classes = 5;
  return DescriptionOf(
      "Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1)], "
      "normal_concat=[2], reduce=[('max_pool_3x3', 0), ('skip_connect', 1)], "
      "reduce_concat=[2])",
      config);
}

ModelDescription SmallDescription() {
  return DescriptionOfKind(NetworkConfig::Kind::kCifar);
}

std::vector<float> Logits(CudaSession& session, int images) {
  const std::vector<float> x =
      GoldenImages("x", images * session.image_floats(), 4);
  std::vector<float> logits(images * session.classes());
  EXPECT_THAT(session.Run(x, absl::MakeSpan(logits)), IsOk());
  return logits;
}

TEST_F(CudaSessionCudnnTest, TheNetworkIsTheSame) {
  for (const NetworkConfig::Kind kind :
       {NetworkConfig::Kind::kCifar, NetworkConfig::Kind::kImageNet}) {
    const ModelDescription description = DescriptionOfKind(kind);
    for (const Precision precision :
         {Precision::kFloat32, Precision::kFloat16, Precision::kBFloat16}) {
      SCOPED_TRACE(absl::StrCat(static_cast<int>(kind), " ",
                                static_cast<int>(precision)));
      options_.precision = precision;
      options_.batch_sizes = {3};
      options_.graph = true;
      options_.convolutions = CudaConvolutions::kOwn;
      CudaSession own = LoadSession(description);
      EXPECT_FALSE(own.uses_cudnn());
      const std::vector<float> expected = Logits(own, 4);
      options_.convolutions = CudaConvolutions::kLibrary;
      cudnn_.engines[CUDNN_HEUR_MODE_A][0].workspace_bytes = 1000;
      CudaSession library = LoadSession(description);
      EXPECT_TRUE(library.uses_cudnn());
      EXPECT_GE(library.launches(3), own.launches(3));
      const size_t runs = cudnn_.runs.size();
      const std::vector<float> logits = Logits(library, 4);
      EXPECT_LT(Off(logits, expected),
                LogitTolerance(precision, description.network.layers));
      // Graphs hold its work, but do not ask it for any.
      EXPECT_EQ(cudnn_.runs.size(), runs);
      options_.graph = false;
      CudaSession eager = LoadSession(description);
      const size_t loaded = cudnn_.runs.size();
      EXPECT_EQ(Logits(eager, 4), logits);
      // 3 images and 1; one convolution, or three.
      EXPECT_EQ(cudnn_.runs.size() - loaded,
                kind == NetworkConfig::Kind::kCifar ? 2 : 6);
    }
  }
}

// A kernel behind cuDNN's has no one in front that would let it begin early.
TEST_F(CudaSessionCudnnTest, NoKernelBeginsEarlyBehindCudnn) {
  options_.convolutions = CudaConvolutions::kOwn;
  CudaSession own = LoadSession(SmallDescription());
  EXPECT_EQ(gpu_.overlapping(), own.launches(1) - 1);
  options_.convolutions = CudaConvolutions::kLibrary;
  const int64_t before = gpu_.overlapping();
  CudaSession library = LoadSession(SmallDescription());
  // The first, the convolution and the one behind it do not.
  EXPECT_EQ(gpu_.overlapping() - before, library.launches(1) - 3);
}

// cuDNN loads what it runs before a stream is captured.
TEST_F(CudaSessionCudnnTest, EachConvolutionRunsOnceBeforeItIsCaptured) {
  std::vector<bool> captured;
  cudnn_.append = [&](CUstream stream, FakeCudnn::Work work) {
    CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
    gpu_.driver().cuStreamIsCapturing(stream, &status);
    captured.push_back(status == CU_STREAM_CAPTURE_STATUS_ACTIVE);
    return gpu_.Append(stream, std::move(work));
  };
  const CudaSession session = LoadSession(SmallDescription());
  EXPECT_THAT(captured, testing::ElementsAre(false, true));

  // Also where it is the caller that captures it.
  captured.clear();
  options_.graph = false;
  options_.batch_sizes = {2};
  CudaSession eager = LoadSession(SmallDescription());
  EXPECT_THAT(captured, testing::ElementsAre(false, false));
  captured.clear();
  CaptureRun(eager, gpu_.NewStream());
  EXPECT_THAT(captured, testing::ElementsAre(true));
}

// A caller may end its stream before the session.
TEST_F(CudaSessionCudnnTest, CudnnKeepsNoStreamOfTheCallers) {
  options_.graph = false;
  CudaSession session = LoadSession(SmallDescription());
  const CUstream stream = gpu_.NewStream();
  const auto run = [&] {
    return session.RunAsync(gpu_.Device(session.image_floats()), 1,
                            gpu_.Device(session.classes()), stream);
  };
  ASSERT_THAT(run(), IsOk());
  EXPECT_EQ(cudnn_.runs.back().stream, stream);
  EXPECT_NE(cudnn_.stream, stream);
  cudnn_.failure = CUDNN_STATUS_EXECUTION_FAILED;
  cudnn_.failing_call = cudnn_.calls + 1;
  EXPECT_THAT(run(), StatusIs(absl::StatusCode::kUnavailable, "was to fail"));
  EXPECT_NE(cudnn_.stream, stream);
  gpu_.Finish(stream);
  CaptureRun(session, stream);
  EXPECT_EQ(cudnn_.runs.back().stream, stream);
  EXPECT_NE(cudnn_.stream, stream);
}

TEST_F(CudaSessionCudnnTest, WithoutAnEngineTheKernelsDoItUnlessTheyMustNot) {
  cudnn_.engines = {
      {CUDNN_HEUR_MODE_A, {{{CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC}}}}};
  const absl::StatusOr<CudaSession> refused = TryLoad(SmallDescription());
  EXPECT_THAT(refused.status(),
              StatusIs(absl::StatusCode::kUnavailable, "net.st: "));
  EXPECT_THAT(refused.status(),
              StatusIs(absl::StatusCode::kUnavailable, "a convolution of 3x3"));
  options_.convolutions = CudaConvolutions::kAuto;
  {
    CudaSession session = LoadSession(SmallDescription());
    EXPECT_FALSE(session.uses_cudnn());
    EXPECT_EQ(cudnn_.live, 0);
    Logits(session, 1);
  }
  cudnn_.engines = {{CUDNN_HEUR_MODE_A, {FakeCudnn::Engine()}}};
  EXPECT_TRUE(LoadSession(SmallDescription()).uses_cudnn());
  options_.cudnn = nullptr;
  EXPECT_FALSE(LoadSession(SmallDescription()).uses_cudnn());
  options_.convolutions = CudaConvolutions::kLibrary;
  EXPECT_THAT(TryLoad(SmallDescription()),
              StatusIs(absl::StatusCode::kUnavailable,
                       "net.st: no cuDNN is given beside the driver"));
}

// An error at each of cuDNN's calls while a session is loaded.
TEST_F(CudaSessionCudnnTest, AnErrorAtAnyCallIsAStatusOrTheKernels) {
  for (const CudaConvolutions convolutions :
       {CudaConvolutions::kLibrary, CudaConvolutions::kAuto}) {
    options_.convolutions = convolutions;
    int refused = 0;
    for (int call = 0;; ++call) {
      SCOPED_TRACE(absl::StrCat("call ", call));
      cudnn_.failure = CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED;
      cudnn_.failing_call = cudnn_.calls + call;
      const absl::StatusOr<CudaSession> session = TryLoad(SmallDescription());
      const bool reached = cudnn_.calls > cudnn_.failing_call;
      cudnn_.failing_call = -1;
      if (!reached) {
        EXPECT_THAT(session, IsOk());
        EXPECT_GT(call, 60);
        break;
      }
      if (session.ok()) continue;
      ++refused;
      ASSERT_THAT(session.status(),
                  StatusIs(absl::StatusCode::kResourceExhausted, "net.st: "));
      ASSERT_EQ(cudnn_.live, 0);
      ASSERT_EQ(gpu_.Living(), "");
    }
    // Which of them falls back to the kernels is what it tries before it has
    // chosen cuDNN; what it meets afterwards is an error.
    EXPECT_GT(refused, convolutions == CudaConvolutions::kLibrary ? 50 : 2);
  }
}

TEST_F(CudaSessionCudnnTest, AnErrorOfARunLeavesTheSessionUsable) {
  options_.graph = false;
  CudaSession session = LoadSession(SmallDescription());
  const std::vector<float> expected = Logits(session, 1);
  const std::vector<float> image = GoldenImages("x", session.image_floats(), 4);
  std::vector<float> logits(session.classes());
  cudnn_.failure = CUDNN_STATUS_EXECUTION_FAILED;
  for (const int call : {0, 1, 2}) {
    cudnn_.failing_call = cudnn_.calls + call;
    EXPECT_THAT(
        session.Run(image, absl::MakeSpan(logits)),
        StatusIs(absl::StatusCode::kUnavailable, "this call was to fail"));
    EXPECT_EQ(Logits(session, 1), expected);
  }
}

}  // namespace
}  // namespace fairdarts
