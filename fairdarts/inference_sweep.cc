// How inference scales, as a csv file and a picture:
// ./bazelw run //fairdarts:inference_sweep -- --help

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/status.h"
#include "fairdarts/benchmark_flags.h"
#include "fairdarts/inference_timing.h"
#include "fairdarts/plots/line_plot.h"
#include "fairdarts/sweep_output.h"
#include "genotypes/cost.h"

using Texts = std::vector<std::string>;

ABSL_FLAG(std::string, sweep, "batch",
          "batch (1 to 256), channels (C from 16 to 144) or layers (2 to 40)");
ABSL_FLAG(Texts, genotypes, {},
          "genotypes of the catalog; none: FairDARTS_a to FairDARTS_g");
ABSL_FLAG(Texts, threads, Texts({"1"}), "threads of a session, a list");
ABSL_FLAG(double, seconds, 60, "how long to measure");
ABSL_FLAG(std::string, output, "",
          "the files without .csv and .svg; none: inference_ and the sweep");

namespace fairdarts {
namespace {

enum class Sweep { kBatch, kChannels, kLayers };

absl::StatusOr<Sweep> SweepOf(const std::string& name) {
  if (name == "batch") return Sweep::kBatch;
  if (name == "channels") return Sweep::kChannels;
  if (name == "layers") return Sweep::kLayers;
  return UsageError(absl::StrCat("--sweep: \"", name,
                                 "\" is none of batch, channels, layers"));
}

constexpr int kLargestBatch = 256;

// At every batch a burst is as many images as the largest batch has: the
// fastest of many short calls would say more about the machine's clock.
int BurstImages(Sweep sweep) {
  return sweep == Sweep::kBatch ? kLargestBatch : 1;
}

std::vector<int> Steps(Sweep sweep) {
  switch (sweep) {
    case Sweep::kBatch:
      return {1, 4, 16, 64, kLargestBatch};
    case Sweep::kChannels:
      return {16, 24, 36, 48, 60, 72, 84, 96, 112, 128, 144};
    case Sweep::kLayers:
      return {2, 4, 6, 8, 12, 16, 20, 24, 30, 36, 40};
  }
  return {};
}

// What was varied.
int StepOf(Sweep sweep, const InferenceCase& which) {
  switch (sweep) {
    case Sweep::kBatch:
      return which.batch;
    case Sweep::kChannels:
      return which.config->init_channels;
    case Sweep::kLayers:
      return which.config->layers;
  }
  return 0;
}

std::vector<InferenceCase> CasesOf(Sweep sweep, const std::string& genotype,
                                   const std::vector<int>& threads) {
  std::vector<InferenceCase> cases;
  for (const int count : threads) {
    for (const int step : Steps(sweep)) {
      InferenceCase one;
      one.name = genotype;
      one.threads = count;
      NetworkConfig config = NetworkConfig::Cifar();
      if (sweep == Sweep::kBatch) one.batch = step;
      if (sweep == Sweep::kChannels) config.init_channels = step;
      if (sweep == Sweep::kLayers) config.layers = step;
      one.config = config;
      cases.push_back(one);
    }
  }
  return cases;
}

// What was not.
absl::string_view Fixed(Sweep sweep) {
  switch (sweep) {
    case Sweep::kBatch:
      return "C=36, 20 cells";
    case Sweep::kChannels:
      return "20 cells, batch 1";
    case Sweep::kLayers:
      return "C=36, batch 1";
  }
  return "";
}

PlotAxis XAxis(Sweep sweep) {
  PlotAxis axis;
  switch (sweep) {
    case Sweep::kBatch:
      axis.label = "images a call";
      axis.scale = PlotAxis::Scale::kLog2;
      break;
    case Sweep::kChannels:
      axis.label = "channels C of the first cells";
      break;
    case Sweep::kLayers:
      axis.label = "cells";
      axis.from = 0;
      break;
  }
  return axis;
}

// A line for each genotype and number of threads; `value` takes a timing and
// that of the line's first step.
template <typename Value>
std::vector<PlotSeries> SeriesOf(Sweep sweep,
                                 const std::vector<InferenceTiming>& timings,
                                 Value value) {
  std::vector<PlotSeries> series;
  const InferenceTiming* first = nullptr;
  for (const InferenceTiming& timing : timings) {
    const InferenceCase& which = timing.which;
    const std::string name =
        which.threads == 1
            ? which.name
            : absl::StrCat(which.name, ", ", which.threads, " threads");
    if (series.empty() || series.back().name != name) {
      series.push_back({name, {}});
      first = &timing;
    }
    series.back().points.push_back(
        {static_cast<double>(StepOf(sweep, which)), value(timing, *first)});
  }
  return series;
}

// Of a call.
double Seconds(Sweep sweep, const InferenceTiming& timing) {
  return sweep == Sweep::kBatch ? timing.times.best_burst()
                                : timing.times.min();
}

std::vector<PlotPanel> PanelsOf(Sweep sweep,
                                const std::vector<InferenceTiming>& timings) {
  const auto milliseconds = [&](const InferenceTiming& timing) {
    return timing.milliseconds(Seconds(sweep, timing));
  };
  PlotPanel time;
  time.x = XAxis(sweep);
  if (sweep == Sweep::kBatch) {
    time.title = "time of an image against that at batch 1";
    time.y.label = "time of an image / at batch 1";
    time.y.from = 0.8;
    time.y.to = 1.2;
    time.guides = {{1.05, "5 % slower"}, {0.95, "5 % faster"}};
    time.series = SeriesOf(
        sweep, timings,
        [&](const InferenceTiming& timing, const InferenceTiming& first) {
          return milliseconds(timing) / milliseconds(first);
        });
  } else {
    time.title = "time of an image";
    time.y.label = "time of an image, ms";
    time.y.from = 0;
    time.series =
        SeriesOf(sweep, timings,
                 [&](const InferenceTiming& timing, const InferenceTiming&) {
                   return milliseconds(timing);
                 });
  }
  PlotPanel share;
  share.x = XAxis(sweep);
  share.title = "share of the peak";
  share.y.label = "% of the multiply-adds of as many threads";
  share.y.from = 0;
  share.y.to = 100;
  share.series =
      SeriesOf(sweep, timings,
               [&](const InferenceTiming& timing, const InferenceTiming&) {
                 return 100 * timing.share_of_peak(Seconds(sweep, timing));
               });
  return {time, share};
}

absl::Status Main(int argc, char** argv) {
  FD_RETURN_IF_ERROR(ParseBenchmarkFlags(
      argc, argv,
      "Times CIFAR networks of published genotypes (20 layers, C=36, batch 1) "
      "while one of these is varied."));
  const std::string name = absl::GetFlag(FLAGS_sweep);
  FD_ASSIGN_OR_RETURN(const Sweep sweep, SweepOf(name));
  FD_ASSIGN_OR_RETURN(
      const std::vector<int> threads,
      NumbersOfFlag("threads", absl::GetFlag(FLAGS_threads), 1024, {1}));
  const double seconds = absl::GetFlag(FLAGS_seconds);
  if (!(seconds >= 0) || !std::isfinite(seconds)) {
    return UsageError("--seconds: a number from 0 on is needed");
  }
  const std::vector<std::string> genotypes =
      GenotypesOfFlag(absl::GetFlag(FLAGS_genotypes));
  std::vector<InferenceTiming> timings;
  double peak = 0;
  // One at a time: the networks of a sweep fill the memory of small machines.
  for (const std::string& genotype : genotypes) {
    FD_ASSIGN_OR_RETURN(
        std::vector<InferenceTiming> more,
        TimeInference(CasesOf(sweep, genotype, threads),
                      seconds / genotypes.size(), BurstImages(sweep)));
    for (InferenceTiming& timing : more) {
      peak = std::max(peak, timing.peak / timing.which.threads);
      timings.push_back(std::move(timing));
    }
  }
  for (InferenceTiming& timing : timings) {
    timing.peak = peak * timing.which.threads;
  }
  std::fputs(InferenceTable(timings).c_str(), stdout);
  const std::vector<PlotPanel> panels = PanelsOf(sweep, timings);
  if (sweep == Sweep::kBatch) {
    std::fputs(SpreadText(panels.front(), "batch 1").c_str(), stdout);
  }
  SweepOutput output;
  output.path = absl::GetFlag(FLAGS_output);
  if (output.path.empty()) output.path = absl::StrCat("inference_", name);
  output.csv = InferenceCsv(timings);
  output.title = absl::StrCat("Inference of CIFAR networks, ", Fixed(sweep));
  output.caption = sweep == Sweep::kBatch
                       ? "the fastest of several times 256 images counts"
                       : "the fastest call counts";
  output.panels = panels;
  return WriteSweep(output, peak);
}

}  // namespace
}  // namespace fairdarts

int main(int argc, char** argv) {
  return fairdarts::EndBenchmark(fairdarts::Main(argc, argv));
}
