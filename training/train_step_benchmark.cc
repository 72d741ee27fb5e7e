// Times one step of the training of a derived network on noise:
// ./bazelw run //training:train_step_benchmark -- --help

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
#include "search_space/fused_derived_network.h"
#include "search_space/initialization.h"
#include "search_space/network_factory.h"
#include "training/command.h"
#include "training/compute_setup.h"
#include "training/field_value.h"
#include "training/flags.h"
#include "training/genotype_argument.h"
#include "training/memory_format.h"
#include "training/run_log.h"
#include "training/train_step.h"
#include "training/train_step_benchmark.pb.h"

namespace fairdarts {
namespace {

constexpr int kClasses = 10;
constexpr double kLearningRate = 0.025;

Batch Noise(const TrainStepBenchmarkConfig& config, bool channels_last) {
  RandomStream stream("train_step_benchmark", {});
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

absl::StatusOr<std::shared_ptr<DerivedNetwork>> NetworkOf(
    const TrainStepBenchmarkConfig& config, const Genotype& genotype) {
  NetworkConfig network = NetworkConfig::Cifar();
  network.init_channels = config.channels();
  network.layers = config.layers();
  network.classes = kClasses;
  network.image_size = config.size();
  network.image_channels = config.image_channels();
  network.auxiliary = config.auxiliary();
  if (config.engine() == TrainStepBenchmarkConfig::PLAIN) {
    return MakeDerivedNetwork(genotype, network);
  }
  return FusedDerivedNetwork::Create(genotype, network, config.threads());
}

absl::Status Measure(int argc, const char* const* argv, RunLog& log) {
  TrainStepBenchmarkConfig config;
  FD_RETURN_IF_ERROR(ParseFlags(argc, argv, config));
  FD_RETURN_IF_ERROR(CheckFields(config));
  if (config.engine() == TrainStepBenchmarkConfig::FUSED &&
      config.memory_format() != Machine::AUTO) {
    return UsageError(
        "memory_format: the fused engine has an order of its own; give auto, "
        "or --engine=plain");
  }
  SetUpCompute(config.threads());

  const bool fused = config.engine() == TrainStepBenchmarkConfig::FUSED;
  // The fused engine has a layout of its own.
  const bool channels_last =
      !fused && UsesChannelsLast(config.memory_format(), config.channels());
  FD_ASSIGN_OR_RETURN(const GenotypeArgument genotype,
                      ResolveGenotypeArgument(config.genotype(), {}));
  FD_ASSIGN_OR_RETURN(const std::shared_ptr<DerivedNetwork> network,
                      NetworkOf(config, genotype.genotype));
  InitializeParameters(*network, 0);
  if (channels_last) ToChannelsLast(*network);
  FD_ASSIGN_OR_RETURN(const std::unique_ptr<TrainStep> step,
                      TrainStep::Create(network, TrainStepOptions()));
  const Batch batch = Noise(config, channels_last);

  std::vector<double> seconds;
  for (int i = 0; i < config.warmup() + config.steps(); ++i) {
    const PathDropper dropper(
        config.drop_path_prob(),
        RandomStream("train_step_benchmark/paths", {static_cast<uint64_t>(i)}));
    const absl::Time start = absl::Now();
    FD_RETURN_IF_ERROR(step->Run(batch, kLearningRate, dropper));
    if (i >= config.warmup()) {
      seconds.push_back(absl::ToDoubleSeconds(absl::Now() - start));
    }
  }
  std::sort(seconds.begin(), seconds.end());
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  log.Info(absl::StrFormat(
      "%s, batch %d, %d channels, %d cells, %dx%d, %s, %d thread(s)",
      genotype.name, config.batch(), config.channels(), config.layers(),
      config.size(), config.size(),
      fused           ? "fused engine"
      : channels_last ? "plain engine, channels_last"
                      : "plain engine, contiguous",
      config.threads()));
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
    log.Info(fairdarts::FlagsHelp(fairdarts::TrainStepBenchmarkConfig()));
    return 0;
  }
  return fairdarts::EndProgram(fairdarts::Measure(argc, argv, log),
                               "train_step_benchmark", log);
}
