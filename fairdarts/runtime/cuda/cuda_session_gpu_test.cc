// Sessions on a real GPU: what cuda_session_test shows on a made-up one, as far
// as a program can see it. Without a GPU it fails in one sentence.

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "fairdarts/runtime/cuda/cuda_session.h"
#include "fairdarts/runtime/cuda/driver.h"
#include "fairdarts/runtime/cuda/resources.h"
#include "fairdarts/runtime/cuda/tolerances.h"
#include "fairdarts/runtime/golden_networks.h"
#include "fairdarts/runtime/testing.h"
#include "genotypes/catalog.h"
#include "tests/golden/filler.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

constexpr Precision kPrecisions[] = {Precision::kFloat32, Precision::kFloat16,
                                     Precision::kBFloat16};

const CudaDriver* driver = nullptr;

// Without a GPU all there is to say is why.
class Gpu : public testing::Environment {
 public:
  void SetUp() override {
    const absl::StatusOr<const CudaDriver*> loaded = SystemCudaDriver();
    if (!loaded.ok()) End(loaded.status());
    const absl::StatusOr<CudaDevice> device = OpenCudaDevice(**loaded, 0);
    if (!device.ok()) End(device.status());
    driver = *loaded;
  }

 private:
  static void End(const absl::Status& status) {
    std::cerr << status.message() << "\n";
    std::exit(static_cast<int>(ExitCode::kEnvironment));
  }
};

const testing::Environment* const gpu =
    testing::AddGlobalTestEnvironment(new Gpu);

// The program's own use of the GPU, with its primary context current.
class Program {
 public:
  Program() : context_(Retained()), current_(*driver, context_.get()) {
    FD_CHECK(current_.result() == CUDA_SUCCESS);
  }

  CUstream NewStream() {
    absl::StatusOr<CudaOwnStream> stream = CreateStream(*driver);
    FD_CHECK(stream.ok()) << stream.status();
    streams_.push_back(*std::move(stream));
    return streams_.back().get();
  }

  float* OnDevice(int64_t floats) {
    absl::StatusOr<CudaMemory> memory =
        AllocateOnDevice(*driver, floats * sizeof(float));
    FD_CHECK(memory.ok()) << memory.status();
    memory_.push_back(*std::move(memory));
    return reinterpret_cast<float*>(memory_.back().get());
  }

  float* Pinned(int64_t floats) {
    absl::StatusOr<CudaHostMemory> memory =
        AllocateOnHost(*driver, floats * sizeof(float));
    FD_CHECK(memory.ok()) << memory.status();
    pinned_.push_back(*std::move(memory));
    return static_cast<float*>(pinned_.back().get());
  }

  // Through pinned memory of its own.
  void Write(float* to, const std::vector<float>& values, CUstream stream) {
    float* const pinned = Pinned(values.size());
    std::copy(values.begin(), values.end(), pinned);
    EXPECT_EQ(
        driver->cuMemcpyHtoDAsync(reinterpret_cast<CUdeviceptr>(to), pinned,
                                  values.size() * sizeof(float), stream),
        CUDA_SUCCESS);
  }

  std::vector<float> Read(const float* from, int64_t floats, CUstream stream) {
    float* const pinned = Pinned(floats);
    EXPECT_EQ(
        driver->cuMemcpyDtoHAsync(pinned, reinterpret_cast<CUdeviceptr>(from),
                                  floats * sizeof(float), stream),
        CUDA_SUCCESS);
    Finish(stream);
    return std::vector<float>(pinned, pinned + floats);
  }

  static void Finish(CUstream stream) {
    EXPECT_EQ(driver->cuStreamSynchronize(stream), CUDA_SUCCESS);
  }

  static int64_t FreeBytes() {
    size_t free = 0;
    size_t total = 0;
    EXPECT_EQ(driver->cuMemGetInfo(&free, &total), CUDA_SUCCESS);
    return static_cast<int64_t>(free);
  }

 private:
  static PrimaryContext Retained() {
    absl::StatusOr<PrimaryContext> context = PrimaryContext::Retain(*driver, 0);
    FD_CHECK(context.ok()) << context.status();
    return *std::move(context);
  }

  PrimaryContext context_;
  CurrentContext current_;
  std::vector<CudaOwnStream> streams_;
  std::vector<CudaMemory> memory_;
  std::vector<CudaHostMemory> pinned_;
};

CudaSession SessionOf(const ModelDescription& description, uint64_t seed,
                      const CudaOptions& options) {
  const FilledTensors filled(description, seed);
  absl::StatusOr<std::string> bytes =
      SerializeModelFile(description, filled.tensors());
  EXPECT_THAT(bytes, IsOk());
  absl::StatusOr<CudaSession> session =
      CudaSession::LoadBytes(*std::move(bytes), "filled", options);
  FD_CHECK(session.ok()) << session.status();
  return *std::move(session);
}

// A published network of full size.
ModelDescription PublishedDescription() {
  ModelDescription description = DescriptionOf(
      "Genotype(normal=[('skip_connect', 2, 0)], normal_concat=[2], "
      "reduce=[('skip_connect', 2, 0)], reduce_concat=[2])",
      NetworkConfig::Cifar());
  description.genotype = FindInCatalog("FairDARTS_a")->entry->genotype;
  return description;
}

std::vector<float> ImagesFor(const CudaSession& session, int count,
                             uint64_t seed) {
  return GoldenImages("x", count * session.image_floats(), seed);
}

std::vector<float> Logits(CudaSession& session,
                          const std::vector<float>& images) {
  std::vector<float> logits(images.size() / session.image_floats() *
                            session.classes());
  EXPECT_THAT(session.Run(images, absl::MakeSpan(logits)), IsOk());
  return logits;
}

class CudaSessionGpuTest : public testing::TestWithParam<Precision> {
 protected:
  CudaSessionGpuTest() { options_.precision = GetParam(); }

  void CheckNetworks(const std::vector<GoldenNetwork>& networks) {
    double worst = 0;
    for (const GoldenNetwork& network : networks) {
      SCOPED_TRACE(network.name);
      const int cells = network.description.network.layers;
      CudaSession session =
          SessionOf(network.description, network.seed, options_);
      const std::vector<float> logits =
          Logits(session, ImagesFor(session, network.images(), network.seed));
      const double tolerance = LogitTolerance(GetParam(), cells);
      const double off = Off(logits, network.logits);
      EXPECT_LT(off, tolerance);
      worst = std::max(worst, off / tolerance);
      if (network.images() != 2) continue;
      const std::vector<float> expected_step = Step(network.logits);
      const double step_tolerance =
          StepTolerance(Largest(expected_step) / Largest(network.logits), cells,
                        CellRounding(GetParam()));
      if (step_tolerance > 0.5) continue;  // its images are within rounding
      EXPECT_LT(Off(Step(logits), expected_step), step_tolerance);
    }
    RecordProperty("worst", absl::StrCat(worst));
  }

  CudaOptions options_;
};

INSTANTIATE_TEST_SUITE_P(All, CudaSessionGpuTest,
                         testing::ValuesIn(kPrecisions));

TEST_P(CudaSessionGpuTest, PublishedNetworksGiveTheGoldenLogits) {
  CheckNetworks(GoldenCifarNetworks(/*full=*/true));
}

TEST_P(CudaSessionGpuTest, SmallNetworksGiveTheGoldenLogits) {
  options_.batch_sizes = {2};
  CheckNetworks(GoldenCifarNetworks(/*full=*/false));
}

TEST_P(CudaSessionGpuTest, ImageNetNetworksGiveTheGoldenLogits) {
  CheckNetworks(GoldenImageNetNetworks());
}

TEST_P(CudaSessionGpuTest, GraphsAndKernelsOneByOneGiveTheSameBits) {
  options_.batch_sizes = {1, 8, 64};
  CudaSession with_graph = SessionOf(PublishedDescription(), 3, options_);
  options_.graph = false;
  CudaSession eager = SessionOf(PublishedDescription(), 3, options_);
  for (const int count : {1, 7, 8, 64, 75}) {
    const std::vector<float> images = ImagesFor(with_graph, count, 4);
    const std::vector<float> logits = Logits(with_graph, images);
    EXPECT_EQ(Logits(eager, images), logits) << count;
    EXPECT_EQ(Logits(with_graph, images), logits) << count;
  }
}

// Two kernels for the stem, within what rounding does; where cuDNN is missing,
// in its own words.
TEST_P(CudaSessionGpuTest, CudnnAndOwnKernelsAgree) {
  options_.convolutions = CudaConvolutions::kLibrary;
  options_.batch_sizes = {8};
  CudaSession library = SessionOf(PublishedDescription(), 3, options_);
  EXPECT_TRUE(library.uses_cudnn());
  options_.convolutions = CudaConvolutions::kOwn;
  CudaSession own = SessionOf(PublishedDescription(), 3, options_);
  EXPECT_FALSE(own.uses_cudnn());
  const std::vector<float> images = ImagesFor(own, 9, 4);
  const std::vector<float> logits = Logits(library, images);
  EXPECT_LT(Off(logits, Logits(own, images)),
            LogitTolerance(GetParam(), library.description().network.layers));
  EXPECT_EQ(Logits(library, images), logits);
}

// Several sessions on several streams at the same time, each with runs of other
// pointers behind one another.
TEST_P(CudaSessionGpuTest, TwoStreams) {
  constexpr int kRuns = 50;
  Program program;
  std::vector<CudaSession> sessions;
  for (int i = 0; i < 2; ++i) {
    sessions.push_back(SessionOf(PublishedDescription(), 3 + i, options_));
  }
  const CUstream streams[] = {program.NewStream(), program.NewStream()};
  std::vector<std::vector<float>> expected[2];
  std::vector<const float*> in[2];
  std::vector<float*> out[2];
  for (int i = 0; i < 2; ++i) {
    for (int run = 0; run < kRuns; ++run) {
      const std::vector<float> images = ImagesFor(sessions[i], 1, 100 + run);
      expected[i].push_back(Logits(sessions[i], images));
      float* const memory = program.OnDevice(images.size());
      program.Write(memory, images, streams[i]);
      in[i].push_back(memory);
      out[i].push_back(program.OnDevice(sessions[i].classes()));
    }
  }
  for (int run = 0; run < kRuns; ++run) {
    for (int i = 0; i < 2; ++i) {
      ASSERT_THAT(sessions[i].RunAsync(in[i][run], 1, out[i][run], streams[i]),
                  IsOk());
    }
  }
  for (int i = 0; i < 2; ++i) {
    for (int run = 0; run < kRuns; ++run) {
      EXPECT_EQ(program.Read(out[i][run], sessions[i].classes(), streams[i]),
                expected[i][run])
          << i << " " << run;
    }
  }
  // One session on both, which share its maps.
  for (int run = 0; run < kRuns; ++run) {
    ASSERT_THAT(
        sessions[0].RunAsync(in[0][run], 1, out[0][run], streams[run % 2]),
        IsOk());
  }
  Program::Finish(streams[0]);
  Program::Finish(streams[1]);
  for (int run = 0; run < kRuns; ++run) {
    EXPECT_EQ(
        program.Read(out[0][run], sessions[0].classes(), streams[run % 2]),
        expected[0][run])
        << run;
  }
}

TEST_P(CudaSessionGpuTest, PinnedMemoryAndStreamsThatAreCaptured) {
  Program program;
  CudaSession session = SessionOf(PublishedDescription(), 3, options_);
  const std::vector<float> images = ImagesFor(session, 2, 4);
  const std::vector<float> expected = Logits(session, images);
  const CUstream stream = program.NewStream();
  float* const in = program.Pinned(images.size());
  float* const out = program.Pinned(expected.size());
  std::copy(images.begin(), images.end(), in);
  ASSERT_THAT(session.RunAsync(in, 2, out, stream), IsOk());
  Program::Finish(stream);
  EXPECT_EQ(std::vector<float>(out, out + expected.size()), expected);

  std::fill_n(out, expected.size(), 0.0f);
  ASSERT_EQ(
      driver->cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
      CUDA_SUCCESS);
  ASSERT_THAT(session.RunAsync(in, 2, out, stream), IsOk());
  CUgraph captured = nullptr;
  ASSERT_EQ(driver->cuStreamEndCapture(stream, &captured), CUDA_SUCCESS);
  const CudaGraph graph(captured, driver->cuGraphDestroy);
  CUgraphExec instantiated = nullptr;
  ASSERT_EQ(driver->cuGraphInstantiate(&instantiated, captured, 0),
            CUDA_SUCCESS);
  const CudaGraphExec exec(instantiated, driver->cuGraphExecDestroy);
  ASSERT_EQ(driver->cuGraphLaunch(instantiated, stream), CUDA_SUCCESS);
  Program::Finish(stream);
  EXPECT_EQ(std::vector<float>(out, out + expected.size()), expected);
}

// With all memory taken a session is a status; those that are there go on, and
// so does the next one where there is memory again.
TEST_P(CudaSessionGpuTest, OutOfMemory) {
  Program program;
  CudaSession witness = SessionOf(PublishedDescription(), 3, options_);
  const std::vector<float> images = ImagesFor(witness, 1, 4);
  const std::vector<float> expected = Logits(witness, images);
  const FilledTensors filled(PublishedDescription(), 3);
  const absl::StatusOr<std::string> bytes =
      SerializeModelFile(PublishedDescription(), filled.tensors());
  ASSERT_THAT(bytes, IsOk());
  {
    std::vector<CudaMemory> taken;
    for (int64_t size = int64_t{1} << 36; size >= 1 << 20;) {
      absl::StatusOr<CudaMemory> memory = AllocateOnDevice(*driver, size);
      if (memory.ok()) {
        taken.push_back(*std::move(memory));
      } else {
        EXPECT_THAT(memory.status(),
                    StatusIs(absl::StatusCode::kResourceExhausted, "free"));
        size /= 2;
      }
    }
    EXPECT_THAT(CudaSession::LoadBytes(*bytes, "net.st", options_),
                StatusIs(absl::StatusCode::kResourceExhausted, "net.st: "));
    EXPECT_EQ(Logits(witness, images), expected);
  }
  absl::StatusOr<CudaSession> session =
      CudaSession::LoadBytes(*bytes, "net.st", options_);
  ASSERT_THAT(session, IsOk());
  EXPECT_EQ(Logits(*session, images), expected);
  EXPECT_EQ(Logits(witness, images), expected);
}

TEST_P(CudaSessionGpuTest, TenThousandRunsTakeNoMemory) {
  Program program;
  CudaSession session = SessionOf(PublishedDescription(), 3, options_);
  const std::vector<float> images = ImagesFor(session, 1, 4);
  const std::vector<float> expected = Logits(session, images);
  const CUstream stream = program.NewStream();
  float* const in = program.OnDevice(images.size());
  float* const out = program.OnDevice(expected.size());
  program.Write(in, images, stream);
  for (int i = 0; i < 100; ++i) {
    ASSERT_THAT(session.RunAsync(in, 1, out, stream), IsOk());
  }
  Program::Finish(stream);
  const int64_t free = Program::FreeBytes();
  for (int i = 0; i < 10000; ++i) {
    if (!session.RunAsync(in, 1, out, stream).ok()) FAIL() << i;
  }
  Program::Finish(stream);
  EXPECT_EQ(Program::FreeBytes(), free);
  EXPECT_EQ(program.Read(out, expected.size(), stream), expected);
}

// Each session gives back what it took.
TEST_P(CudaSessionGpuTest, SessionsComeAndGo) {
  Program program;
  const auto once = [&] {
    CudaSession session = SessionOf(PublishedDescription(), 3, options_);
    Logits(session, ImagesFor(session, 1, 4));
  };
  for (int i = 0; i < 3; ++i) once();
  const int64_t free = Program::FreeBytes();
  for (int i = 0; i < 20; ++i) once();
  EXPECT_GE(Program::FreeBytes(), free);
}

}  // namespace
}  // namespace fairdarts
