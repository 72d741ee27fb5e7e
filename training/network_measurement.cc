#include "training/network_measurement.h"

#include <ATen/Parallel.h>
#include <malloc.h>
#include <torch/torch.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "ops/torch_status.h"
#include "search_space/network_factory.h"
#include "training/compute_setup.h"
#include "training/memory_format.h"
#include "training/profiling/child_process.h"
#include "training/profiling/latency.h"
#include "training/profiling/process_memory.h"

namespace fairdarts {
namespace {

torch::Tensor Noise(int images, const NetworkConfig& config,
                    bool channels_last) {
  torch::Tensor noise = torch::randn(
      {images, config.image_channels, config.image_size, config.image_size});
  return channels_last ? noise.contiguous(torch::MemoryFormat::ChannelsLast)
                       : noise;
}

// Two images, because batch norm in training needs more than one value.
void SetBatchNormStatistics(DerivedNetwork& network,
                            const torch::Tensor& two_images) {
  for (const auto& module : network.modules()) {
    if (auto* norm = module->as<torch::nn::BatchNorm2d>()) {
      norm->options.momentum(1.0);
    }
  }
  network.train();
  network.Logits(two_images);
  network.eval();
}

// What goes from the measuring process to the one that asked.
std::string Encode(const NetworkMeasurement& result) {
  const Measurement& m = result.measurement;
  return absl::StrFormat("%.17g %.17g %d %d %d %d", m.latency.min_seconds,
                         m.latency.median_seconds, m.latency.repetitions,
                         m.batch_peak_bytes, m.process_peak_bytes,
                         result.threads);
}

NetworkMeasurement Decode(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ' ');
  NetworkMeasurement result;
  Measurement& m = result.measurement;
  FD_CHECK(parts.size() == 6 &&
           absl::SimpleAtod(parts[0], &m.latency.min_seconds) &&
           absl::SimpleAtod(parts[1], &m.latency.median_seconds) &&
           absl::SimpleAtoi(parts[2], &m.latency.repetitions) &&
           absl::SimpleAtoi(parts[3], &m.batch_peak_bytes) &&
           absl::SimpleAtoi(parts[4], &m.process_peak_bytes) &&
           absl::SimpleAtoi(parts[5], &result.threads))
      << text;
  return result;
}

absl::StatusOr<NetworkMeasurement> MeasureHere(
    const Genotype& genotype, const NetworkConfig& config,
    const MeasurementOptions& options) {
  SetUpCompute(options.threads);
  const torch::NoGradGuard no_gradients;
  torch::manual_seed(0);
  FD_ASSIGN_OR_RETURN(const std::shared_ptr<DerivedNetwork> network,
                      MakeDerivedNetwork(genotype, config));
  if (options.channels_last) ToChannelsLast(*network);
  SetBatchNormStatistics(*network, Noise(2, config, options.channels_last));
  const torch::Tensor images =
      Noise(options.batch_size, config, options.channels_last);
  const auto batch = [&] { network->Logits(images); };
  batch();

  NetworkMeasurement result;
  Measurement& measurement = result.measurement;
  ::malloc_trim(0);
  FD_ASSIGN_OR_RETURN(const ProcessMemory before, ReadProcessMemory());
  FD_RETURN_IF_ERROR(ResetPeakMemory());
  batch();
  FD_ASSIGN_OR_RETURN(const ProcessMemory after, ReadProcessMemory());
  measurement.batch_peak_bytes =
      std::max<int64_t>(0, after.peak_bytes - before.resident_bytes);
  measurement.process_peak_bytes =
      std::max(before.peak_bytes, after.peak_bytes);

  RepeatOptions repeat;
  repeat.seconds = options.seconds;
  measurement.latency = MeasureLatency(batch, repeat, SteadySeconds);
  result.threads = at::get_num_threads();
  return result;
}

}  // namespace

absl::StatusOr<NetworkMeasurement> MeasureNetwork(
    const Genotype& genotype, const NetworkConfig& config,
    const MeasurementOptions& options) {
  NetworkConfig without_head = config;
  without_head.auxiliary = false;
  FD_ASSIGN_OR_RETURN(
      const std::string text, RunInChild([&]() -> absl::StatusOr<std::string> {
        FD_ASSIGN_OR_RETURN(const NetworkMeasurement result,
                            CatchTorch("measuring the network", [&] {
                              return MeasureHere(genotype, without_head,
                                                 options);
                            }));
        return Encode(result);
      }));
  return Decode(text);
}

}  // namespace fairdarts
