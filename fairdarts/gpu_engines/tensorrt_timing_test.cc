#include "fairdarts/gpu_engines/tensorrt_timing.h"

#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

TensorRtCase Some() {
  TensorRtCase which;
  which.onnx = "a b.onnx";
  which.input = "images";
  which.channels = 3;
  which.height = 32;
  which.width = 30;
  which.batch = 8;
  which.precision = Precision::kFloat16;
  which.device = 1;
  return which;
}

TEST(TensorRtTimingTest, AsksForTheSameWork) {
  EXPECT_EQ(TensorRtCommand(Some()),
            "'trtexec' --onnx='a b.onnx' --shapes=images:8x3x32x30 --fp16 "
            "--noTF32 --useCudaGraph --noDataTransfers --warmUp=500 "
            "--duration=3 --device=1");
}

TEST(TensorRtTimingTest, ReadsTheGpusTimes) {
  const absl::StatusOr<TensorRtTiming> timing = ParseTensorRt(
      "[I] === Performance summary ===\n"
      "[I] Latency: min = 0.7 ms, max = 1 ms, mean = 0.8 ms, median = 0.75 ms\n"
      "[I] GPU Compute Time: min = 0.515 ms, max = 0.9 ms, mean = 0.6 ms, "
      "median = 0.525 ms, percentile(90%) = 0.7 ms\n"
      "[I] Total Host Walltime: 3 s\n");
  ASSERT_THAT(timing, IsOk());
  EXPECT_EQ(timing->min, 0.515);
  EXPECT_EQ(timing->median, 0.525);
}

TEST(TensorRtTimingTest, SaysWhatElseItSaid) {
  EXPECT_THAT(ParseTensorRt("one\n[E] no such file\n"),
              StatusIs(absl::StatusCode::kDataLoss,
                       "trtexec: no line \"GPU Compute Time: "));
}

TEST(TensorRtTimingTest, MissingProgramIsTheEnvironments) {
  TensorRtCase which = Some();
  which.program = "no/such/trtexec";
  EXPECT_THAT(TimeTensorRt(which),
              StatusIs(absl::StatusCode::kUnavailable,
                       "no/such/trtexec: is not installed or fails: "));
}

}  // namespace
}  // namespace fairdarts
