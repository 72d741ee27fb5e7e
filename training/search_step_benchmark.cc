// Times one bi-level search step on noise:
// ./bazelw run //training:search_step_benchmark -- --help

#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "fairdarts/base/random.h"
#include "fairdarts/base/status.h"
#include "fairdarts/search_step.h"
#include "search_space/initialization.h"
#include "search_space/s1_factory.h"
#include "training/command.h"
#include "training/compute_setup.h"
#include "training/field_value.h"
#include "training/flags.h"
#include "training/memory_format.h"
#include "training/run_log.h"
#include "training/search_step_benchmark.pb.h"

namespace fairdarts {
namespace {

constexpr int kClasses = 10;

Batch Noise(const SearchStepBenchmarkConfig& config, bool channels_last,
            const char* name) {
  RandomStream stream(name, {});
  Batch batch;
  batch.images = torch::empty(
      {config.batch(), config.image_channels(), config.size(), config.size()});
  float* pixels = batch.images.mutable_data_ptr<float>();
  std::generate_n(pixels, batch.images.numel(),
                  [&] { return stream.Normal(); });
  batch.labels = torch::empty({config.batch()}, torch::kInt64);
  std::generate_n(batch.labels.mutable_data_ptr<int64_t>(), config.batch(),
                  [&] { return stream.Below(kClasses); });
  if (channels_last) {
    batch.images = batch.images.contiguous(torch::MemoryFormat::ChannelsLast);
  }
  return batch;
}

absl::Status Measure(int argc, const char* const* argv, RunLog& log) {
  SearchStepBenchmarkConfig config;
  FD_RETURN_IF_ERROR(ParseFlags(argc, argv, config));
  FD_RETURN_IF_ERROR(CheckFields(config));
  SetUpCompute(config.threads());

  const bool fused = config.engine() == SearchStepBenchmarkConfig::FUSED;
  // The fused engine has a layout of its own.
  const bool channels_last =
      !fused && UsesChannelsLast(config.memory_format(), config.channels());
  S1Config network;
  network.channels = config.channels();
  network.layers = config.layers();
  network.classes = kClasses;
  network.image_channels = config.image_channels();
  FD_ASSIGN_OR_RETURN(
      const std::shared_ptr<Supernet> supernet,
      CreateS1Supernet(network,
                       fused ? SupernetEngine::kFused : SupernetEngine::kPlain,
                       config.threads()));
  InitializeParameters(*supernet, 0);
  if (channels_last) ToChannelsLast(*supernet);
  FD_ASSIGN_OR_RETURN(const std::unique_ptr<SearchStep> step,
                      SearchStep::Create(supernet, SearchStepOptions()));
  const Batch train = Noise(config, channels_last, "train");
  const Batch alpha = Noise(config, channels_last, "alpha");

  std::vector<double> seconds;
  for (int i = 0; i < config.warmup() + config.steps(); ++i) {
    const absl::Time start = absl::Now();
    FD_RETURN_IF_ERROR(step->Run(train, alpha));
    if (i >= config.warmup()) {
      seconds.push_back(absl::ToDoubleSeconds(absl::Now() - start));
    }
  }
  std::sort(seconds.begin(), seconds.end());
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  log.Info(absl::StrFormat(
      "batch %d, %d channels, %d cells, %dx%d, %s, %d thread(s)",
      config.batch(), config.channels(), config.layers(), config.size(),
      config.size(),
      fused           ? "fused engine"
      : channels_last ? "plain engine, channels_last"
                      : "plain engine, contiguous",
      config.threads()));
  // As in the baseline, an image of the training batch counts once.
  log.Info(absl::StrFormat(
      "step: min %.4f s, median %.4f s; %.2f images/s; peak memory %d MB",
      seconds.front(), seconds[seconds.size() / 2],
      config.batch() / seconds.front(), usage.ru_maxrss / 1024));
  return absl::OkStatus();
}

}  // namespace
}  // namespace fairdarts

int main(int argc, char** argv) {
  fairdarts::RunLog log = fairdarts::RunLog::Standard();
  if (fairdarts::HelpRequested(argc, argv)) {
    log.Info(fairdarts::FlagsHelp(fairdarts::SearchStepBenchmarkConfig()));
    return 0;
  }
  return fairdarts::EndProgram(fairdarts::Measure(argc, argv, log),
                               "search_step_benchmark", log);
}
