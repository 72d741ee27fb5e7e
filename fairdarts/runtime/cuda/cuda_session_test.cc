// Sessions on a made-up GPU (fake_driver.h), which runs the kernels' own source
// on the CPU.

#include "fairdarts/runtime/cuda/cuda_session.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"
#include "fairdarts/runtime/cuda/driver.h"
#include "fairdarts/runtime/cuda/fake_driver.h"
#include "fairdarts/runtime/cuda/resources.h"
#include "fairdarts/runtime/cuda/tolerances.h"
#include "fairdarts/runtime/golden_networks.h"
#include "fairdarts/runtime/session.h"
#include "fairdarts/runtime/testing.h"
#include "ops/cuda/stage.h"
#include "tests/golden/filler.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

constexpr Precision kPrecisions[] = {Precision::kFloat32, Precision::kFloat16,
                                     Precision::kBFloat16};

// Where two runs compute the same sums in another order: as between the CPU's
// instruction sets (see session_test).
constexpr double kFloatTolerance = 1e-5;

std::string BytesOf(const ModelDescription& description, uint64_t seed) {
  const FilledTensors filled(description, seed);
  absl::StatusOr<std::string> bytes =
      SerializeModelFile(description, filled.tensors());
  EXPECT_THAT(bytes, IsOk());
  return *std::move(bytes);
}

// A pair cell with what the kernel has: separable convolutions, skips with and
// without stride, pools.
ModelDescription SmallDescription() {
  NetworkConfig config;
  config.init_channels = 4;
  config.layers = 3;
  config.image_size = 8;
  config.classes = 5;
  return DescriptionOf(
      "Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1), "
      "('avg_pool_3x3', 2), ('dil_conv_3x3', 0)], normal_concat=[2, 3], "
      "reduce=[('max_pool_3x3', 0), ('skip_connect', 1), "
      "('sep_conv_3x3', 1), ('skip_connect', 2)], reduce_concat=[2, 3])",
      config);
}

const std::string& SmallBytes() {
  static const std::string* const bytes =
      new std::string(BytesOf(SmallDescription(), 3));
  return *bytes;
}

// A network of one cell with as few launches as there are.
const std::string& TinyBytes() {
  static const std::string* const bytes = [] {
    NetworkConfig config;
    config.init_channels = 2;
    config.layers = 1;
    config.image_size = 4;
    config.classes = 2;
    return new std::string(BytesOf(
        DescriptionOf(
            "Genotype(normal=[('skip_connect', 0), ('skip_connect', 1)], "
            "normal_concat=[2], reduce=[('skip_connect', 0), ('skip_connect', "
            "1)], reduce_concat=[2])",
            config),
        3));
  }();
  return *bytes;
}

class CudaSessionTest : public testing::Test {
 protected:
  CudaSessionTest() { options_.driver = &fake_.driver(); }

  ~CudaSessionTest() override {
    EXPECT_EQ(fake_.Living(), "");
    EXPECT_EQ(fake_.device_bytes(), 0);
    EXPECT_EQ(fake_.pushed(), 0);
    EXPECT_FALSE(fake_.freed_in_use());
  }

  absl::StatusOr<CudaSession> TryLoad(const std::string& bytes) {
    return CudaSession::LoadBytes(bytes, "net.st", options_);
  }

  CudaSession LoadSession(const std::string& bytes = SmallBytes()) {
    absl::StatusOr<CudaSession> session = TryLoad(bytes);
    EXPECT_THAT(session, IsOk());
    return *std::move(session);
  }

  // Memory of the program's with images in it.
  float* OnDevice(const std::vector<float>& values) {
    float* const memory = fake_.Device(values.size());
    std::copy(values.begin(), values.end(), fake_.Host(memory));
    return memory;
  }

  std::vector<float> FromDevice(const float* memory, int64_t floats) {
    const float* const host = fake_.Host(memory);
    return std::vector<float>(host, host + floats);
  }

  FakeDriver fake_;
  CudaOptions options_;
};

std::vector<float> ImagesFor(const CudaSession& session, int count,
                             uint64_t seed = 4) {
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
std::vector<float> CpuLogits(const std::string& bytes,
                             const std::vector<float>& images) {
  absl::StatusOr<Session> session = Session::LoadBytes(bytes, "net.st");
  EXPECT_THAT(session, IsOk());
  std::vector<float> logits(images.size() / session->image_floats() *
                            session->classes());
  EXPECT_THAT(session->Run(images, absl::MakeSpan(logits)), IsOk());
  return logits;
}

// Every published genotype, as few and narrow cells.
class CudaSessionPrecisionTest : public CudaSessionTest,
                                 public testing::WithParamInterface<Precision> {
};

INSTANTIATE_TEST_SUITE_P(All, CudaSessionPrecisionTest,
                         testing::ValuesIn(kPrecisions));

TEST_P(CudaSessionPrecisionTest, EveryPublishedNetworkGivesTheGoldenLogits) {
  options_.precision = GetParam();
  const std::vector<GoldenNetwork> networks = GoldenCifarNetworks(false);
  ASSERT_EQ(networks.size(), 48u);
  double worst = 0;
  double worst_step = 0;
  int told_apart = 0;
  for (const GoldenNetwork& network : networks) {
    SCOPED_TRACE(network.name);
    const int cells = network.description.network.layers;
    CudaSession session =
        LoadSession(BytesOf(network.description, network.seed));
    const std::vector<float> logits =
        Logits(session, ImagesFor(session, network.images(), network.seed));
    const double tolerance = LogitTolerance(GetParam(), cells);
    const double off = Off(logits, network.logits);
    EXPECT_LT(off, tolerance);
    worst = std::max(worst, off / tolerance);
    const std::vector<float> expected_step = Step(network.logits);
    const double step_tolerance =
        StepTolerance(Largest(expected_step) / Largest(network.logits), cells,
                      CellRounding(GetParam()));
    if (step_tolerance > 0.5) continue;
    ++told_apart;
    const double step_off = Off(Step(logits), expected_step);
    EXPECT_LT(step_off, step_tolerance);
    worst_step = std::max(worst_step, step_off / step_tolerance);
  }
  RecordProperty("worst", absl::StrCat(worst));
  RecordProperty("worst_step", absl::StrCat(worst_step));
  // In each precision, by the golden data alone.
  constexpr int kToldApart[] = {48, 47, 33};
  EXPECT_EQ(told_apart, kToldApart[static_cast<int>(GetParam())]);
}

TEST_P(CudaSessionPrecisionTest, GraphsAndKernelsOneByOneGiveTheSameBits) {
  options_.precision = GetParam();
  options_.batch_sizes = {3, 2};
  CudaSession with_graph = LoadSession();
  options_.graph = false;
  CudaSession eager = LoadSession();
  for (const int count : {1, 2, 3, 7}) {
    const std::vector<float> images = ImagesFor(with_graph, count);
    EXPECT_EQ(Logits(with_graph, images), Logits(eager, images)) << count;
  }
}

// Numbers beyond those of a precision are none that could be taken for logits.
TEST_F(CudaSessionTest, WhatOverflowsIsNoNumber) {
  options_.precision = Precision::kFloat16;
  CudaSession session = LoadSession();
  std::vector<float> images = ImagesFor(session, 2);
  for (int i = 0; i < session.image_floats(); ++i) images[i] *= 1e6f;
  const std::vector<float> logits = Logits(session, images);
  for (int i = 0; i < session.classes(); ++i) {
    EXPECT_FALSE(std::isfinite(logits[i])) << i << ": " << logits[i];
    EXPECT_TRUE(std::isfinite(logits[session.classes() + i])) << i;
  }
}

TEST_F(CudaSessionTest, TellsWhatItIs) {
  options_.precision = Precision::kBFloat16;
  options_.batch_sizes = {2, 4, 2};
  const CudaSession session = LoadSession();
  EXPECT_EQ(session.classes(), 5);
  EXPECT_EQ(session.image_floats(), 3 * 8 * 8);
  EXPECT_EQ(session.description().network.layers, 3);
  EXPECT_EQ(session.precision(), Precision::kBFloat16);
  EXPECT_THAT(session.batch_sizes(), testing::ElementsAre(4, 2, 1));
  EXPECT_EQ(session.device_name(), "Fake GPU");
  EXPECT_EQ(session.device_bytes(), fake_.device_bytes());
  EXPECT_GT(session.pinned_bytes(), 0);
  EXPECT_GT(session.launches(4), 3);
  EXPECT_EQ(session.launches(3), 0);
}

// A batch takes the largest sizes first, and gives what its images give.
TEST_F(CudaSessionTest, ABatchIsItsImages) {
  options_.batch_sizes = {4, 2};
  CudaSession session = LoadSession();
  const std::vector<float> images = ImagesFor(session, 11);
  const int64_t launches = fake_.calls("cuGraphLaunch");
  const std::vector<float> batch = Logits(session, images);
  EXPECT_EQ(fake_.calls("cuGraphLaunch") - launches, 4);  // 4 + 4 + 2 + 1
  EXPECT_LT(Off(batch, CpuLogits(SmallBytes(), images)), kFloatTolerance);
  const int classes = session.classes();
  for (int i = 0; i < 11; ++i) {
    const int64_t floats = session.image_floats();
    const std::vector<float> one =
        Logits(session, std::vector<float>(images.begin() + i * floats,
                                           images.begin() + (i + 1) * floats));
    EXPECT_LT(Off(one, std::vector<float>(batch.begin() + i * classes,
                                          batch.begin() + (i + 1) * classes)),
              kFloatTolerance)
        << i;
  }
  EXPECT_EQ(Logits(session, images), batch);
}

// Only code that waits for what is in front of it may begin early; newer GPUs
// than there is such code for compile that for the oldest.
TEST_F(CudaSessionTest, KernelsBeginEarlyWhereTheyWaitThemselves) {
  CudaSession hopper = LoadSession();
  EXPECT_EQ(fake_.overlapping(), hopper.launches(1) - 1);
  const std::vector<float> images = ImagesFor(hopper, 1);
  const std::vector<float> logits = Logits(hopper, images);
  fake_.settings.code_version = 80;
  for (const int major : {8, 9, 12}) {
    fake_.settings.major = major;
    CudaSession session = LoadSession();
    EXPECT_EQ(fake_.overlapping(), hopper.launches(1) - 1) << major;
    EXPECT_EQ(Logits(session, images), logits) << major;
  }
}

// As many blocks as have registers; on a GPU of 8.6, 8.9 or 12.x, with 100 KiB,
// float32 needs more than a third of that at least.
TEST_F(CudaSessionTest, BlocksTakeWhatAMultiprocessorHasForSeveral) {
  options_.batch_sizes = {64};
  ModelDescription description = SmallDescription();
  description.network.init_channels = 36;
  description.network.image_size = 32;
  const std::string bytes = BytesOf(description, 3);
  int64_t last = fake_.settings.shared_bytes;
  for (const int kilobytes : {228, 164, 100}) {
    fake_.settings.multiprocessor_shared_bytes = kilobytes * 1024;
    fake_.settings.shared_bytes = (kilobytes - 1) * 1024;
    const CudaSession session = LoadSession(bytes);
    const int64_t shared = fake_.dynamic_shared_bytes();
    // The system takes 1 KiB.
    const int blocks = kilobytes == 100 ? 2 : kStageBlocksAtATime;
    EXPECT_LE(blocks * (shared + kStageFixedSharedBytes + 1024),
              kilobytes * 1024);
    EXPECT_LT(shared, last);
    last = shared;
  }
}

// Launches with more and with less of it than others follow each other.
TEST_F(CudaSessionTest, SharedMemoryIsAskedForOnce) {
  const CudaSession session = LoadSession();
  EXPECT_EQ(fake_.carveout(), CU_SHAREDMEM_CARVEOUT_MAX_SHARED);
  EXPECT_EQ(fake_.calls("cuFuncSetAttribute"), 2);
}

TEST_F(CudaSessionTest, RunsOnTheProgramsStreamAndMemory) {
  options_.batch_sizes = {2};
  CudaSession session = LoadSession();
  const std::vector<float> images = ImagesFor(session, 3);
  const std::vector<float> expected = Logits(session, images);
  const int64_t floats = expected.size();
  for (const CUstream stream :
       {fake_.NewStream(), CUstream{}, CU_STREAM_LEGACY}) {
    float* const in = OnDevice(images);
    float* const out = fake_.Device(floats);
    ASSERT_THAT(session.RunAsync(in, 3, out, stream), IsOk());
    fake_.Finish(stream);
    EXPECT_EQ(FromDevice(out, floats), expected);
    float* const pinned_in = fake_.Pinned(images.size());
    std::copy(images.begin(), images.end(), pinned_in);
    float* const pinned_out = fake_.Pinned(floats);
    ASSERT_THAT(session.RunAsync(pinned_in, 3, pinned_out, stream), IsOk());
    fake_.Finish(stream);
    EXPECT_EQ(FromDevice(pinned_out, floats), expected);
  }
}

TEST_F(CudaSessionTest, RunWorksOnAStreamThatItIsGiven) {
  const std::vector<float> expected = [&] {
    CudaSession session = LoadSession();
    return Logits(session, ImagesFor(session, 2));
  }();
  options_.stream = fake_.NewStream();
  CudaSession session = LoadSession();
  // What the program put there first comes first.
  bool before = false;
  ASSERT_EQ(fake_.Append(options_.stream,
                         [&] {
                           before = true;
                           return CUDA_SUCCESS;
                         }),
            CUDA_SUCCESS);
  EXPECT_EQ(Logits(session, ImagesFor(session, 2)), expected);
  EXPECT_TRUE(before);
}

// New pointers are for the runs behind them.
TEST_F(CudaSessionTest, PointersChangeOnlyWhereTheyDiffer) {
  CudaSession session = LoadSession();
  const CUstream stream = fake_.NewStream();
  std::vector<std::vector<float>> expected;
  std::vector<float*> in;
  std::vector<float*> out;
  for (int i = 0; i < 3; ++i) {
    const std::vector<float> image = ImagesFor(session, 1, 10 + i);
    expected.push_back(Logits(session, image));
    in.push_back(OnDevice(image));
    out.push_back(fake_.Device(session.classes()));
  }
  const auto updates = [&] {
    return fake_.calls("cuGraphExecKernelNodeSetParams");
  };
  for (int i = 0; i < 3; ++i) {
    const int64_t before = updates();
    ASSERT_THAT(session.RunAsync(in[i], 1, out[i], stream), IsOk());
    EXPECT_EQ(updates() - before, 2);
    ASSERT_THAT(session.RunAsync(in[i], 1, out[i], stream), IsOk());
    EXPECT_EQ(updates() - before, 2);
  }
  // Not before here does the GPU do any of it.
  EXPECT_THAT(FromDevice(out[0], 1), testing::ElementsAre(testing::IsNan()));
  fake_.Finish(stream);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(FromDevice(out[i], session.classes()), expected[i]) << i;
  }
}

// Runs share the maps: the second waits for the first, whoever waits for it.
// One graph never runs beside itself, but two do, and so do kernels.
TEST_F(CudaSessionTest, RunsOnTwoStreamsFollowEachOther) {
  options_.batch_sizes = {2};
  for (const bool graph : {true, false}) {
    options_.graph = graph;
    CudaSession session = LoadSession();
    const std::vector<float> first = ImagesFor(session, 2, 1);
    const std::vector<float> second = ImagesFor(session, 1, 2);
    const std::vector<float> expected_first = Logits(session, first);
    const std::vector<float> expected_second = Logits(session, second);
    const CUstream streams[] = {fake_.NewStream(), fake_.NewStream()};
    float* const in = OnDevice(first);
    float* const between = fake_.Device(expected_first.size());
    float* const out = fake_.Device(expected_second.size());
    ASSERT_THAT(session.RunAsync(in, 2, between, streams[0]), IsOk());
    ASSERT_THAT(session.RunAsync(OnDevice(second), 1, out, streams[1]), IsOk());
    const int64_t kernels = fake_.kernels();
    fake_.Finish(streams[1]);
    EXPECT_EQ(fake_.kernels() - kernels,
              session.launches(2) + session.launches(1));
    EXPECT_EQ(FromDevice(between, expected_first.size()), expected_first);
    EXPECT_EQ(FromDevice(out, expected_second.size()), expected_second);
    // And one of ordinary memory waits for both.
    ASSERT_THAT(session.RunAsync(in, 2, between, streams[0]), IsOk());
    const int64_t before = fake_.kernels();
    EXPECT_EQ(Logits(session, second), expected_second);
    EXPECT_EQ(fake_.kernels() - before,
              session.launches(2) + session.launches(1));
  }
}

TEST_F(CudaSessionTest, SessionsDoNotDisturbEachOther) {
  CudaSession small = LoadSession();
  options_.precision = Precision::kFloat16;
  CudaSession half = LoadSession();
  const std::vector<float> images = ImagesFor(small, 1);
  const std::vector<float> expected_small = Logits(small, images);
  const std::vector<float> expected_half = Logits(half, images);
  EXPECT_NE(expected_small, expected_half);
  const CUstream streams[] = {fake_.NewStream(), fake_.NewStream()};
  float* const in = OnDevice(images);
  float* const outs[] = {fake_.Device(small.classes()),
                         fake_.Device(half.classes())};
  for (int i = 0; i < 4; ++i) {
    CudaSession& session = i % 2 == 0 ? small : half;
    ASSERT_THAT(session.RunAsync(in, 1, outs[i % 2], streams[i % 2]), IsOk());
  }
  const int64_t kernels = fake_.kernels();
  fake_.Finish(streams[1]);  // waits for nothing of the other session
  EXPECT_EQ(fake_.kernels() - kernels, 2 * half.launches(1));
  EXPECT_EQ(FromDevice(outs[1], half.classes()), expected_half);
  fake_.Finish(streams[0]);
  EXPECT_EQ(FromDevice(outs[0], small.classes()), expected_small);
}

TEST_F(CudaSessionTest, AStreamThatIsCapturedGetsTheKernels) {
  CudaSession session = LoadSession();
  const CudaDriver& driver = fake_.driver();
  const std::vector<float> images = ImagesFor(session, 2);
  const std::vector<float> expected = Logits(session, images);
  float* const in = OnDevice(images);
  float* const out = fake_.Device(expected.size());
  const CUstream stream = fake_.NewStream();
  absl::StatusOr<PrimaryContext> context = PrimaryContext::Retain(driver, 0);
  ASSERT_THAT(context, IsOk());
  const CurrentContext current(driver, context->get());
  ASSERT_EQ(
      driver.cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
      CUDA_SUCCESS);
  ASSERT_THAT(session.RunAsync(in, 2, out, stream), IsOk());
  CUgraph graph = nullptr;
  ASSERT_EQ(driver.cuStreamEndCapture(stream, &graph), CUDA_SUCCESS);
  CUgraphExec exec = nullptr;
  ASSERT_EQ(driver.cuGraphInstantiate(&exec, graph, 0), CUDA_SUCCESS);
  const int64_t kernels = fake_.kernels();
  ASSERT_EQ(driver.cuGraphLaunch(exec, stream), CUDA_SUCCESS);
  fake_.Finish(stream);
  EXPECT_EQ(fake_.kernels() - kernels, 2 * session.launches(1));
  EXPECT_EQ(FromDevice(out, expected.size()), expected);
  driver.cuGraphExecDestroy(exec);
  driver.cuGraphDestroy(graph);
}

TEST_F(CudaSessionTest, TheProgramsContextStaysCurrent) {
  CudaSession session = LoadSession();
  const absl::StatusOr<PrimaryContext> context =
      PrimaryContext::Retain(fake_.driver(), 0);
  ASSERT_THAT(context, IsOk());
  const CurrentContext current(fake_.driver(), context->get());
  CudaSession other = LoadSession();
  Logits(other, ImagesFor(other, 1));
  EXPECT_THAT(other.RunAsync(nullptr, 1, nullptr, nullptr),
              StatusIs(absl::StatusCode::kInvalidArgument, "null"));
  { const CudaSession gone = std::move(other); }
  EXPECT_EQ(fake_.pushed(), 1);
}

TEST_F(CudaSessionTest, SessionsAreMovedAndWaitForTheirWork) {
  const CUstream stream = fake_.NewStream();
  std::vector<float> expected;
  float* out = nullptr;
  {
    CudaSession first = LoadSession();
    const std::vector<float> images = ImagesFor(first, 1);
    expected = Logits(first, images);
    CudaSession second = std::move(first);
    CudaSession third = LoadSession(TinyBytes());
    third = std::move(second);
    EXPECT_EQ(Logits(third, images), expected);
    out = fake_.Device(third.classes());
    ASSERT_THAT(third.RunAsync(OnDevice(images), 1, out, stream), IsOk());
  }
  EXPECT_EQ(FromDevice(out, expected.size()), expected);
  EXPECT_FALSE(fake_.freed_in_use());
}

// 10,000 runs: nothing but the launch, its place behind earlier runs, and what
// the driver tells without waiting.
TEST_F(CudaSessionTest, RunsNeitherAllocateNorWait) {
  CudaSession session = LoadSession(TinyBytes());
  float* const in = OnDevice(ImagesFor(session, 2));
  float* const out = fake_.Device(2 * session.classes());
  const CUstream stream = fake_.NewStream();
  ASSERT_THAT(session.RunAsync(in, 1, out, stream), IsOk());
  fake_.Finish(stream);
  fake_.settings.run_kernels = false;
  const int64_t bytes = fake_.device_bytes();
  const std::vector<std::string> allowed = {
      "cuCtxPushCurrent",    "cuCtxPopCurrent",   "cuPointerGetAttributes",
      "cuStreamIsCapturing", "cuStreamWaitEvent", "cuGraphLaunch",
      "cuEventRecord"};
  const auto allowed_calls = [&] {
    int64_t calls = 0;
    for (const std::string& name : allowed) calls += fake_.calls(name);
    return calls;
  };
  const int64_t calls = fake_.calls();
  const int64_t its_calls = allowed_calls();
  const int64_t launches = fake_.calls("cuGraphLaunch");
  for (int i = 0; i < 10000; ++i) {
    if (!session.RunAsync(in, 1, out, stream).ok()) FAIL() << i;
    if (i % 100 == 0) fake_.Finish(stream);
  }
  EXPECT_EQ(fake_.calls("cuGraphLaunch") - launches, 10000);
  EXPECT_EQ(fake_.calls() - calls, allowed_calls() - its_calls);
  EXPECT_EQ(fake_.calls() - calls, 8 * 10000);
  EXPECT_EQ(fake_.device_bytes(), bytes);
  // Other pointers ask no more of the driver than that they be put in.
  const int64_t updated = fake_.calls("cuGraphExecKernelNodeSetParams");
  const int64_t before = fake_.calls();
  ASSERT_THAT(session.RunAsync(in + session.image_floats(), 1, out, stream),
              IsOk());
  EXPECT_EQ(fake_.calls("cuGraphExecKernelNodeSetParams") - updated, 2);
  EXPECT_EQ(fake_.calls() - before, 8 + 2);
  fake_.Finish(stream);
}

// An error at each call of the driver while a session is loaded: a status, and
// nothing left behind.
TEST_F(CudaSessionTest, AnErrorAtAnyCallOfLoadIsAStatusAndLeavesNothing) {
  options_.batch_sizes = {2};
  for (const CUresult error :
       {CUDA_ERROR_OUT_OF_MEMORY, CUDA_ERROR_INVALID_VALUE,
        CUDA_ERROR_ILLEGAL_ADDRESS}) {
    for (int64_t call = 0;; ++call) {
      SCOPED_TRACE(absl::StrCat("error ", error, " at call ", call));
      fake_.FailCall(call, error);
      const int64_t before = fake_.calls();
      {
        const absl::StatusOr<CudaSession> session = TryLoad(SmallBytes());
        if (!fake_.failed()) {
          fake_.FailCall(-1, CUDA_SUCCESS);
          EXPECT_THAT(session, IsOk());
          EXPECT_GT(call, 40);
          break;
        }
        // The last call gives the context back: the session is loaded.
        if (!session.ok()) {
          EXPECT_THAT(session.status(),
                      StatusIs(error == CUDA_ERROR_OUT_OF_MEMORY
                                   ? absl::StatusCode::kResourceExhausted
                                   : absl::StatusCode::kUnavailable,
                               ": CUDA"));
        } else {
          EXPECT_EQ(call, fake_.calls() - before - 1);
        }
      }
      fake_.Revive();
      ASSERT_EQ(fake_.Living(), "");
      ASSERT_EQ(fake_.pushed(), 0);
    }
  }
  CudaSession session = LoadSession();
  Logits(session, ImagesFor(session, 3));
}

// Errors that leave the context as it was leave the session so, too.
TEST_F(CudaSessionTest, AnErrorAtAnyCallOfARunLeavesTheSessionUsable) {
  options_.batch_sizes = {2};
  for (const bool graph : {true, false}) {
    options_.graph = graph;
    CudaSession session = LoadSession();
    const std::vector<float> images = ImagesFor(session, 5);
    const std::vector<float> expected = Logits(session, images);
    std::vector<float> logits(expected.size());
    const CUstream stream = fake_.NewStream();
    float* const in = OnDevice(images);
    float* const out = fake_.Device(expected.size());
    for (int64_t call = 0;; ++call) {
      SCOPED_TRACE(absl::StrCat("call ", call));
      fake_.FailCall(call, CUDA_ERROR_OUT_OF_MEMORY);
      const absl::Status status = session.Run(images, absl::MakeSpan(logits));
      const absl::Status asynchronous =
          fake_.failed() ? absl::OkStatus()
                         : session.RunAsync(in, 5, out, stream);
      const bool reached = fake_.failed();
      fake_.FailCall(-1, CUDA_SUCCESS);
      fake_.Finish(stream);
      if (!reached) break;
      // Whose context is not given back does not matter to what it computed.
      if (status.ok() && asynchronous.ok()) continue;
      ASSERT_THAT(status.ok() ? asynchronous : status,
                  StatusIs(absl::StatusCode::kResourceExhausted,
                           "CUDA_ERROR_OUT_OF_MEMORY (out of memory)"));
      ASSERT_EQ(Logits(session, images), expected);
      ASSERT_THAT(session.RunAsync(in, 5, out, stream), IsOk());
      fake_.Finish(stream);
      ASSERT_EQ(FromDevice(out, expected.size()), expected);
    }
  }
}

// What a run that failed was to fill is the caller's again at once.
TEST_F(CudaSessionTest, ARunThatFailedIsOverWhenItReturns) {
  for (const char* function :
       {"cuMemcpyHtoDAsync", "cuGraphLaunch", "cuMemcpyDtoHAsync",
        "cuEventRecord", "cuStreamSynchronize"}) {
    SCOPED_TRACE(function);
    options_.stream = fake_.NewStream();
    CudaSession session = LoadSession();
    const std::vector<float> images = ImagesFor(session, 3);
    std::vector<float> failed(3 * session.classes());
    fake_.FailCall(function == std::string("cuStreamSynchronize") ? 0 : 1,
                   CUDA_ERROR_INVALID_VALUE, function);
    EXPECT_THAT(session.Run(images, absl::MakeSpan(failed)),
                StatusIs(absl::StatusCode::kUnavailable, "INVALID_VALUE"));
    const std::vector<float> untouched(failed.size(), 7.0f);
    failed = untouched;
    fake_.Finish(options_.stream);
    Logits(session, images);
    EXPECT_EQ(failed, untouched);
    fake_.FailCall(1, CUDA_ERROR_INVALID_VALUE, "cuGraphLaunch");
    EXPECT_THAT(session.Run(images, absl::MakeSpan(failed)),
                StatusIs(absl::StatusCode::kUnavailable, "INVALID_VALUE"));
  }
  EXPECT_FALSE(fake_.freed_in_use());
}

// After an error that spoils the context, the session says so without asking.
TEST_F(CudaSessionTest, AnErrorThatSpoilsTheContextEndsTheSession) {
  CudaSession session = LoadSession();
  const std::vector<float> images = ImagesFor(session, 1);
  std::vector<float> logits(session.classes());
  fake_.FailNextKernel(CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_THAT(session.Run(images, absl::MakeSpan(logits)),
              StatusIs(absl::StatusCode::kUnavailable,
                       "waiting for the logits: CUDA_ERROR_ILLEGAL_ADDRESS (an "
                       "illegal memory access was encountered)"));
  const int64_t calls = fake_.calls();
  const auto ended =
      StatusIs(absl::StatusCode::kUnavailable,
               "an earlier error has ended this session: waiting for the "
               "logits: CUDA_ERROR_ILLEGAL_ADDRESS");
  EXPECT_THAT(session.Run(images, absl::MakeSpan(logits)), ended);
  EXPECT_THAT(session.RunAsync(nullptr, 0, nullptr, nullptr), ended);
  EXPECT_EQ(fake_.calls(), calls);
  // A new one needs a new context.
  EXPECT_THAT(TryLoad(SmallBytes()),
              StatusIs(absl::StatusCode::kUnavailable, "ILLEGAL_ADDRESS"));
  fake_.Revive();
  CudaSession after = LoadSession();
  Logits(after, images);
}

TEST_F(CudaSessionTest, AnErrorOfTheWorkComesWithALaterCall) {
  CudaSession session = LoadSession();
  float* const in = OnDevice(ImagesFor(session, 1));
  float* const out = fake_.Device(session.classes());
  const CUstream stream = fake_.NewStream();
  fake_.FailNextKernel(CUDA_ERROR_LAUNCH_FAILED);
  ASSERT_THAT(session.RunAsync(in, 1, out, stream), IsOk());
  fake_.Finish(stream);
  EXPECT_THAT(session.RunAsync(in, 1, out, stream),
              StatusIs(absl::StatusCode::kUnavailable,
                       "entering the context: CUDA_ERROR_LAUNCH_FAILED"));
  EXPECT_THAT(session.RunAsync(in, 1, out, stream),
              StatusIs(absl::StatusCode::kUnavailable,
                       "an earlier error has ended this session"));
  fake_.Revive();
}

TEST_F(CudaSessionTest, WantOfMemoryIsAStatus) {
  int64_t needed = 0;
  {
    CudaSession session = LoadSession();
    needed = session.device_bytes();
  }
  fake_.settings.memory = needed - 1;
  EXPECT_THAT(TryLoad(SmallBytes()),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       absl::StrCat("net.st: allocating ", needed,
                                    " bytes on the GPU, where ", needed - 1,
                                    " of ", needed - 1,
                                    " are free: CUDA_ERROR_OUT_OF_MEMORY")));
  EXPECT_EQ(fake_.Living(), "");
  fake_.settings.memory = needed;
  CudaSession session = LoadSession();
  EXPECT_THAT(TryLoad(SmallBytes()),
              StatusIs(absl::StatusCode::kResourceExhausted, "on the GPU"));
  fake_.FailCall(0, CUDA_ERROR_OUT_OF_MEMORY, "cuMemAllocHost");
  fake_.settings.memory *= 2;
  EXPECT_THAT(TryLoad(SmallBytes()),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       "bytes of pinned memory: CUDA_ERROR_OUT_OF_MEMORY"));
  Logits(session, ImagesFor(session, 1));
}

TEST_F(CudaSessionTest, RefusesMachinesThatCannotRunIt) {
  fake_.settings.version = 12080;
  EXPECT_THAT(TryLoad(SmallBytes()),
              StatusIs(absl::StatusCode::kUnavailable,
                       "CUDA's driver is for CUDA 12.8: a driver for CUDA 13.0 "
                       "or newer"));
  fake_.settings.version = 13010;
  fake_.settings.devices = 0;
  EXPECT_THAT(TryLoad(SmallBytes()), StatusIs(absl::StatusCode::kUnavailable,
                                              "CUDA's driver finds no GPU"));
  fake_.settings.devices = 1;
  fake_.settings.major = 7;
  fake_.settings.minor = 5;
  fake_.settings.name = "Tesla T4";
  EXPECT_THAT(TryLoad(SmallBytes()),
              StatusIs(absl::StatusCode::kUnavailable,
                       "GPU 0, Tesla T4, is of compute capability 7.5: 8.0 or "
                       "newer is needed"));
  fake_.settings.major = 8;
  fake_.settings.shared_bytes = 64 * 1024;
  EXPECT_THAT(
      TryLoad(SmallBytes()),
      StatusIs(absl::StatusCode::kUnavailable,
               "GPU 0, Tesla T4, has 65536 bytes of shared memory for a block: "
               "101376 are needed"));
  fake_.settings.shared_bytes = 99 * 1024;
  // Machine code is for any driver from 13.0 on; what has to be compiled is for
  // one that knows how.
  fake_.FailCall(0, CUDA_ERROR_UNSUPPORTED_PTX_VERSION, "cuModuleLoadData");
  EXPECT_THAT(
      TryLoad(SmallBytes()),
      StatusIs(absl::StatusCode::kUnavailable,
               absl::StrCat("a driver for CUDA ", CudaVersionText(CUDA_VERSION),
                            " or newer is needed; this one is for "
                            "13.1")));
  options_.device = 1;
  EXPECT_THAT(TryLoad(SmallBytes()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "device: is 1; there is GPU 0 alone"));
  fake_.settings.devices = 3;
  options_.device = -1;
  EXPECT_THAT(TryLoad(SmallBytes()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "device: is -1; there are GPUs 0 to 2"));
  EXPECT_EQ(ExitCodeOf(TryLoad(SmallBytes()).status()), ExitCode::kUsage);
  options_.device = 2;
  EXPECT_THAT(TryLoad(SmallBytes()), IsOk());
}

TEST_F(CudaSessionTest, RefusesWrongOptions) {
  options_.batch_sizes = {2, 0};
  EXPECT_THAT(TryLoad(SmallBytes()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "net.st: batch_sizes: 0 is one of them"));
  options_.batch_sizes.assign(65, 1);
  EXPECT_THAT(TryLoad(SmallBytes()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "batch_sizes: are 65; there are at most 64"));
  options_.batch_sizes = {2147483647};
  EXPECT_THAT(TryLoad(SmallBytes()),
              StatusIs(absl::StatusCode::kInvalidArgument, "net.st: batch"));
  options_.batch_sizes = {};
  EXPECT_THAT(LoadSession().batch_sizes(), testing::ElementsAre(1));
}

TEST_F(CudaSessionTest, RefusesBadModels) {
  EXPECT_THAT(CudaSession::Load("/nowhere/net.st", options_),
              StatusIs(absl::StatusCode::kDataLoss, "/nowhere/net.st: "));
  std::string bytes = SmallBytes();
  bytes.resize(bytes.size() / 2);
  EXPECT_THAT(TryLoad(bytes),
              StatusIs(absl::StatusCode::kDataLoss, "net.st: "));
}

TEST_F(CudaSessionTest, RefusesWrongSpans) {
  CudaSession session = LoadSession();
  const std::vector<float> images = ImagesFor(session, 1);
  std::vector<float> logits(session.classes());
  EXPECT_THAT(
      session.Run(absl::MakeSpan(images).subspan(1), absl::MakeSpan(logits)),
      StatusIs(absl::StatusCode::kInvalidArgument,
               "images: 191 floats; an image has 192"));
  EXPECT_THAT(
      session.Run(images, absl::MakeSpan(logits).subspan(1)),
      StatusIs(absl::StatusCode::kInvalidArgument, "logits: room for 4"));
  Logits(session, images);
}

TEST_F(CudaSessionTest, RefusesMemoryThatTheGpuDoesNotReach) {
  options_.batch_sizes = {2};
  CudaSession session = LoadSession();
  std::vector<float> ordinary = ImagesFor(session, 1);
  float* const in = OnDevice(ordinary);
  float* const out = fake_.Device(session.classes());
  const CUstream stream = fake_.NewStream();
  const auto run = [&](const float* images, int64_t count, float* logits) {
    return session.RunAsync(images, count, logits, stream);
  };
  const auto refused = [](const std::string& message) {
    return StatusIs(absl::StatusCode::kInvalidArgument, message);
  };
  EXPECT_THAT(run(in, 0, out), refused("count: is 0; at least one image"));
  EXPECT_THAT(run(in, -1, out), refused("count: is -1"));
  EXPECT_THAT(run(in, int64_t{1} << 60, out), refused("fit in memory"));
  const int64_t image_bytes = session.image_floats() * sizeof(float);
  EXPECT_THAT(
      run(in, 2, out),
      refused(absl::StrCat("images: is memory that ends after ", image_bytes,
                           " bytes; the run needs ", 2 * image_bytes)));
  EXPECT_THAT(run(in + 1, 1, out),
              refused(absl::StrCat("ends after ", image_bytes - 4, " bytes")));
  EXPECT_THAT(run(in, 1, out + 1),
              refused("logits: is memory that ends after 16 bytes; the run "
                      "needs 20"));
  EXPECT_THAT(run(in, 1, fake_.Pinned(4)), refused("ends after 16 bytes"));
  EXPECT_THAT(run(nullptr, 1, out), refused("must not be null"));
  EXPECT_THAT(run(in, 1, nullptr), refused("must not be null"));
  EXPECT_THAT(run(ordinary.data(), 1, out),
              refused("images: is memory that the GPU does not reach"));
  EXPECT_THAT(run(in, 1, ordinary.data()),
              refused("logits: is memory that the GPU does not reach"));
  EXPECT_THAT(run(fake_.Elsewhere(192), 1, out),
              refused("images: is memory of GPU 1; the session is on GPU 0"));
  EXPECT_THAT(
      run(reinterpret_cast<const float*>(reinterpret_cast<const char*>(in) + 1),
          1, out),
      refused("images: does not begin at a multiple of 4 bytes"));
  // A stream that is none is the driver's to refuse.
  EXPECT_THAT(
      session.RunAsync(in, 1, out, reinterpret_cast<CUstream>(&fake_)),
      StatusIs(absl::StatusCode::kUnavailable, "looking at the stream"));
  ASSERT_THAT(run(in, 1, out), IsOk());
  fake_.Finish(stream);
  EXPECT_EQ(FromDevice(out, session.classes()), Logits(session, ordinary));
  // Also what was reached by the run before and is not there any more.
  fake_.Release(in);
  EXPECT_THAT(run(in, 1, out),
              refused("images: is memory that the GPU does not reach"));
}

}  // namespace
}  // namespace fairdarts
