// Sessions on a real GPU: what cuda_session_test shows on a made-up one, as far
// as a program can see it. Without a GPU it fails in one sentence.

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "fairdarts/runtime/cuda/cuda_session.h"
#include "fairdarts/runtime/cuda/cudnn_library.h"
#include "fairdarts/runtime/cuda/driver.h"
#include "fairdarts/runtime/cuda/resources.h"
#include "fairdarts/runtime/cuda/tolerances.h"
#include "fairdarts/runtime/golden_networks.h"
#include "fairdarts/runtime/session.h"
#include "fairdarts/runtime/testing.h"
#include "genotypes/catalog.h"
#include "tests/golden/filler.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

constexpr Precision kPrecisions[] = {Precision::kFloat32, Precision::kFloat16,
                                     Precision::kBFloat16};

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

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

std::string BytesOf(const ModelDescription& description, uint64_t seed) {
  const FilledTensors filled(description, seed);
  absl::StatusOr<std::string> bytes =
      SerializeModelFile(description, filled.tensors());
  FD_CHECK(bytes.ok()) << bytes.status();
  return *std::move(bytes);
}

// Takes logits from the GPU and leaves none there, without new memory.
class CopyBack {
 public:
  CopyBack(Program& program, int64_t floats, CUstream stream)
      : floats_(floats),
        stream_(stream),
        taken_(program.Pinned(floats)),
        none_(program.Pinned(floats)) {
    std::fill_n(none_, floats, kNan);
  }

  std::vector<float> Take(float* logits) const {
    const auto address = reinterpret_cast<CUdeviceptr>(logits);
    const size_t bytes = floats_ * sizeof(float);
    EXPECT_EQ(driver->cuMemcpyDtoHAsync(taken_, address, bytes, stream_),
              CUDA_SUCCESS);
    EXPECT_EQ(driver->cuMemcpyHtoDAsync(address, none_, bytes, stream_),
              CUDA_SUCCESS);
    Program::Finish(stream_);
    return std::vector<float>(taken_, taken_ + floats_);
  }

 private:
  const int64_t floats_;
  const CUstream stream_;
  float* const taken_;
  float* const none_;
};

CudaSession SessionOf(const ModelDescription& description, uint64_t seed,
                      const CudaOptions& options) {
  absl::StatusOr<CudaSession> session =
      CudaSession::LoadBytes(BytesOf(description, seed), "filled", options);
  FD_CHECK(session.ok()) << session.status();
  return *std::move(session);
}

// A published network of full size.
ModelDescription PublishedDescription() {
  return DescriptionOf(FindInCatalog("FairDARTS_a")->entry->genotype,
                       NetworkConfig::Cifar());
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

// The same from the CPU.
std::vector<float> CpuLogits(const ModelDescription& description, uint64_t seed,
                             const std::vector<float>& images) {
  absl::StatusOr<Session> session =
      Session::LoadBytes(BytesOf(description, seed), "filled");
  FD_CHECK(session.ok()) << session.status();
  std::vector<float> logits(images.size() / session->image_floats() *
                            session->classes());
  EXPECT_THAT(session->Run(images, absl::MakeSpan(logits)), IsOk());
  return logits;
}

class CudaSessionGpuTest : public testing::TestWithParam<Precision> {
 protected:
  CudaSessionGpuTest() { options_.precision = GetParam(); }

  // How many of them tell their two images apart by more than rounding, in each
  // precision, is the golden data's alone: without that a session that ignores
  // its images might pass.
  void CheckNetworks(const std::vector<GoldenNetwork>& networks,
                     const std::array<int, 3>& told_apart) {
    double worst = 0;
    int told = 0;
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
      ++told;
      EXPECT_LT(Off(Step(logits), expected_step), step_tolerance);
    }
    RecordProperty("worst", absl::StrCat(worst));
    EXPECT_EQ(told, told_apart[static_cast<int>(GetParam())]);
  }

  CudaOptions options_;
};

INSTANTIATE_TEST_SUITE_P(All, CudaSessionGpuTest,
                         testing::ValuesIn(kPrecisions));

TEST_P(CudaSessionGpuTest, PublishedNetworksGiveTheGoldenLogits) {
  CheckNetworks(GoldenCifarNetworks(/*full=*/true), {46, 23, 0});
}

TEST_P(CudaSessionGpuTest, SmallNetworksGiveTheGoldenLogits) {
  options_.batch_sizes = {2};
  CheckNetworks(GoldenCifarNetworks(/*full=*/false), {48, 47, 33});
}

TEST_P(CudaSessionGpuTest, ImageNetNetworksGiveTheGoldenLogits) {
  CheckNetworks(GoldenImageNetNetworks(), {2, 2, 0});
}

// A batch is large enough for the coarsest tilings, and its images have to be
// told from the one before each: so three cells of full width, which forget
// little, beside the whole network.
TEST_P(CudaSessionGpuTest, LargeBatchesGiveWhatTheCpuGives) {
  constexpr int kImages = 64;
  options_.batch_sizes = {kImages};
  for (const int cells : {3, 20}) {
    SCOPED_TRACE(cells);
    ModelDescription description = PublishedDescription();
    description.network.layers = cells;
    CudaSession session = SessionOf(description, 3, options_);
    const std::vector<float> images = ImagesFor(session, kImages, 4);
    const std::vector<float> expected = CpuLogits(description, 3, images);
    const std::vector<float> logits = Logits(session, images);
    EXPECT_LT(Off(logits, expected), LogitTolerance(GetParam(), cells));
    int told = 0;
    double worst = 0;
    for (int i = 1; i < kImages; ++i) {
      const auto pair_of = [&](const std::vector<float>& all) {
        const auto first = all.begin() + (i - 1) * session.classes();
        return std::vector<float>(first, first + 2 * session.classes());
      };
      const std::vector<float> expected_step = Step(pair_of(expected));
      const double tolerance =
          StepTolerance(Largest(expected_step) / Largest(pair_of(expected)),
                        cells, CellRounding(GetParam()));
      if (tolerance > 0.5) continue;
      ++told;
      const double off = Off(Step(pair_of(logits)), expected_step);
      EXPECT_LT(off, tolerance) << i;
      worst = std::max(worst, off / tolerance);
    }
    RecordProperty(absl::StrCat("worst_", cells), absl::StrCat(worst));
    RecordProperty(absl::StrCat("told_", cells), told);
    // By the CPU's logits alone: all of them, but for two in bfloat16.
    EXPECT_GE(told, cells == 3 ? kImages - 4 : 0);
  }
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

// Two kernels for the stem, within what rounding does. Sessions do without
// cuDNN, too.
TEST_P(CudaSessionGpuTest, CudnnAndOwnKernelsAgree) {
  const absl::StatusOr<const Cudnn*> cudnn = SystemCudnn();
  if (!cudnn.ok()) GTEST_SKIP() << cudnn.status().message();
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
  // One session on both, which share its maps; what is there already is spoilt.
  const std::vector<float> none(sessions[0].classes(), kNan);
  for (int run = 0; run < kRuns; ++run) {
    program.Write(out[0][run], none, streams[run % 2]);
  }
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
  const CUstream stream = program.NewStream();
  const int64_t classes = session.classes();
  const CopyBack back(program, classes, stream);
  std::vector<float> expected[2];
  float* in[2];
  float* out[2];
  for (int i = 0; i < 2; ++i) {
    const std::vector<float> images = ImagesFor(session, 1, 4 + i);
    expected[i] = Logits(session, images);
    in[i] = program.OnDevice(images.size());
    out[i] = program.OnDevice(classes);
    program.Write(in[i], images, stream);
  }
  ASSERT_NE(expected[0], expected[1]);
  int64_t free = 0;
  // Two images by turns: a kernel that is early meets the other one's maps.
  for (int i = 0; i < 10100; ++i) {
    const int which = i % 2;
    if (!session.RunAsync(in[which], 1, out[which], stream).ok()) FAIL() << i;
    if (i % 100 < 98) continue;
    ASSERT_EQ(back.Take(out[which]), expected[which]) << i;
    if (i == 99) free = Program::FreeBytes();
  }
  EXPECT_GE(Program::FreeBytes(), free);
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
