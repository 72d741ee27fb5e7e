// Times LibTorch's inference of a model file: what inference_peers.py runs.
// Prints a line of names and one of values, times in milliseconds an image.

#include <c10/core/InferenceMode.h>
#include <torch/version.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "fairdarts/benchmark_flags.h"
#include "fairdarts/call_times.h"
#include "fairdarts/inference_timing.h"
#include "fairdarts/runtime/model_file.h"
#include "ops/torch_status.h"
#include "search_space/derived_network.h"
#include "tests/golden/filler.h"
#include "training/compute_setup.h"
#include "training/memory_format.h"
#include "training/network_weights.h"

ABSL_FLAG(std::string, model, "", "a model file");
ABSL_FLAG(int, batch, 1, "images a call");
ABSL_FLAG(int, threads, 1, "threads");
ABSL_FLAG(double, seconds, 3, "how long to measure");
ABSL_FLAG(bool, channels_last, false, "images and weights in this order");
ABSL_FLAG(std::string, logits, "", "a file for the logits, float32");

namespace fairdarts {
namespace {

absl::Status Main(int argc, char** argv) {
  FD_RETURN_IF_ERROR(ParseBenchmarkFlags(
      argc, argv, "Times LibTorch's inference of a model file."));
  const int batch = absl::GetFlag(FLAGS_batch);
  const int threads = absl::GetFlag(FLAGS_threads);
  if (batch < 1 || threads < 1) {
    return UsageError("--batch and --threads: 1 at least");
  }
  SetUpCompute(threads);
  FD_ASSIGN_OR_RETURN(const ModelFile file,
                      ModelFile::Load(absl::GetFlag(FLAGS_model)));
  FD_ASSIGN_OR_RETURN(const std::shared_ptr<DerivedNetwork> network,
                      LoadNetwork(file));
  CallTimes times;
  torch::Tensor logits;
  FD_RETURN_IF_ERROR(CatchTorch("network", [&] {
    const c10::InferenceMode inference;
    network->eval();
    const NetworkConfig& config = network->config();
    torch::Tensor images = torch::empty(
        {batch, config.image_channels, config.image_size, config.image_size});
    const std::vector<float> values =
        GoldenImages(kTimingImages, images.numel(), kTimingImagesSeed);
    std::copy(values.begin(), values.end(), images.mutable_data_ptr<float>());
    if (absl::GetFlag(FLAGS_channels_last)) {
      ToChannelsLast(*network);
      images = images.contiguous(torch::MemoryFormat::ChannelsLast);
    }
    times.Burst(absl::GetFlag(FLAGS_seconds), 1,
                [&] { logits = network->Logits(images); });
    logits = logits.contiguous();
  }));
  std::printf("version,min_ms,median_ms,first_ms,calls\n%s,%g,%g,%g,%d\n",
              TORCH_VERSION, 1e3 * times.min() / batch,
              1e3 * times.median() / batch, 1e3 * times.first() / batch,
              times.calls());
  const std::string path = absl::GetFlag(FLAGS_logits);
  if (path.empty()) return absl::OkStatus();
  return WriteFileAtomic(
      path, absl::string_view(static_cast<const char*>(logits.const_data_ptr()),
                              logits.nbytes()));
}

}  // namespace
}  // namespace fairdarts

int main(int argc, char** argv) {
  return fairdarts::EndBenchmark(fairdarts::Main(argc, argv));
}
