// Times one bi-level search step on noise:
// ./bazelw run //training:search_step_benchmark -- --help

#include <sys/resource.h>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "fairdarts/base/status.h"
#include "fairdarts/call_times.h"
#include "training/command.h"
#include "training/compute_setup.h"
#include "training/field_value.h"
#include "training/flags.h"
#include "training/memory_format.h"
#include "training/run_log.h"
#include "training/search_step_benchmark.pb.h"
#include "training/search_step_timing.h"

namespace fairdarts {
namespace {

absl::Status Measure(int argc, const char* const* argv, RunLog& log) {
  SearchStepBenchmarkConfig config;
  FD_RETURN_IF_ERROR(ParseFlags(argc, argv, config));
  FD_RETURN_IF_ERROR(CheckFields(config));
  if (config.engine() == SearchStepBenchmarkConfig::FUSED &&
      config.memory_format() != Machine::AUTO) {
    return UsageError(
        "memory_format: the fused engine has an order of its own; give auto, "
        "or --engine=plain");
  }
  SetUpCompute(config.threads());

  SearchStepCase which;
  which.batch = config.batch();
  which.channels = config.channels();
  which.layers = config.layers();
  which.size = config.size();
  which.image_channels = config.image_channels();
  which.threads = config.threads();
  which.fused = config.engine() == SearchStepBenchmarkConfig::FUSED;
  // The fused engine has a layout of its own.
  which.channels_last = !which.fused && UsesChannelsLast(config.memory_format(),
                                                         config.channels());
  CallTimes times;
  FD_RETURN_IF_ERROR(
      TimeSearchSteps(which, config.warmup(), config.steps(), times));
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  log.Info(absl::StrFormat(
      "batch %d, %d channels, %d cells, %dx%d, %s, %d thread(s)", which.batch,
      which.channels, which.layers, which.size, which.size,
      which.fused           ? "fused engine"
      : which.channels_last ? "plain engine, channels_last"
                            : "plain engine, contiguous",
      which.threads));
  // As in the baseline, an image of the training batch counts once.
  log.Info(absl::StrFormat(
      "step: min %.4f s, median %.4f s; %.2f images/s; peak memory %d MB",
      times.min(), times.median(), which.batch / times.min(),
      usage.ru_maxrss / 1024));
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
