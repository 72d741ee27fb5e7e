// How a search step scales, as a csv file and a picture:
// ./bazelw run //training:search_step_sweep -- --help

#include <algorithm>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/status.h"
#include "fairdarts/benchmark_flags.h"
#include "fairdarts/call_times.h"
#include "fairdarts/plots/line_plot.h"
#include "fairdarts/sweep_output.h"
#include "search_space/engine/engine_memory.h"
#include "search_space/s1_cost.h"
#include "training/compute_setup.h"
#include "training/search_step_timing.h"

using Texts = std::vector<std::string>;

namespace fairdarts {
namespace {
constexpr int kImages = 256;  // where nothing is said
}
}  // namespace fairdarts

ABSL_FLAG(std::string, sweep, "batch",
          "batch (16 to 256), channels (C from 8 to 48), layers (3 to 12) or "
          "threads (1 to as many as there are cores)");
ABSL_FLAG(Texts, threads, Texts({"1"}),
          "threads of a step, a list; not for --sweep=threads");
ABSL_FLAG(int, steps, 2, "steps to time in each round, one at least");
ABSL_FLAG(int, images, fairdarts::kImages,
          "images to time at least at every batch in each round");
ABSL_FLAG(int, rounds, 2, "rounds over everything, one at least");
ABSL_FLAG(std::string, output, "",
          "the files without .csv and .svg; none: search_step_ and the sweep");

namespace fairdarts {
namespace {

enum class Sweep { kBatch, kChannels, kLayers, kThreads };

absl::StatusOr<Sweep> SweepOf(const std::string& name) {
  if (name == "batch") return Sweep::kBatch;
  if (name == "channels") return Sweep::kChannels;
  if (name == "layers") return Sweep::kLayers;
  if (name == "threads") return Sweep::kThreads;
  return UsageError(absl::StrCat("--sweep: \"", name,
                                 "\" is none of batch, channels, layers, "
                                 "threads"));
}

std::vector<int> Steps(Sweep sweep) {
  std::vector<int> steps;
  switch (sweep) {
    case Sweep::kBatch:
      return {16, 32, 64, 128, 256};
    case Sweep::kChannels:
      return {8, 12, 16, 24, 32, 48};
    case Sweep::kLayers:
      return {3, 4, 6, 8, 10, 12};
    case Sweep::kThreads:
      for (int i = 1;
           i <=
           std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
           ++i) {
        steps.push_back(i);
      }
  }
  return steps;
}

struct Timing {
  SearchStepCase which;
  int step = 0;     // what was varied
  int steps = 0;    // in a round
  double macs = 0;  // of an image
  EngineMemory memory;
  CallTimes times;
  double peak = 0;  // operations a second of all threads

  double operations() const { return 2 * macs; }
  double milliseconds(double step_seconds) const {
    return 1e3 * step_seconds / which.batch;
  }
  double share_of_peak(double step_seconds) const {
    return operations() * which.batch / step_seconds / peak;
  }
};

absl::StatusOr<Timing> CaseOf(Sweep sweep, int step, int threads) {
  Timing timing;
  timing.step = step;
  timing.steps = absl::GetFlag(FLAGS_steps);
  SearchStepCase& which = timing.which;
  which.threads = threads;
  // Blocks of 16 images are what threads share.
  which.batch = 16 * threads;
  switch (sweep) {
    case Sweep::kBatch:
      which.batch = step;
      // The fastest of many short steps would say more about the machine's
      // clock: about as many images at every batch.
      timing.steps = std::max(timing.steps, absl::GetFlag(FLAGS_images) / step);
      break;
    case Sweep::kChannels:
      which.channels = step;
      break;
    case Sweep::kLayers:
      which.layers = step;
      break;
    case Sweep::kThreads:
      which.batch = 16 * std::max(4, Steps(sweep).back());
      which.threads = step;
      break;
  }
  const S1Config network = {which.channels, which.layers, kTimedClasses,
                            which.image_channels};
  FD_ASSIGN_OR_RETURN(const S1Macs forward,
                      S1ForwardMacs(network, which.size, which.size));
  timing.macs =
      static_cast<double>(SearchStepMacs(forward, /*single_level=*/false));
  timing.memory = EngineMemoryFor(network, which.threads, which.batch,
                                  which.size, which.size);
  return timing;
}

// Of a step. Over the batch the mean of a round's images counts.
double Seconds(Sweep sweep, const Timing& timing) {
  return sweep == Sweep::kBatch ? timing.times.best_burst()
                                : timing.times.min();
}

std::string Csv(Sweep sweep, const std::vector<Timing>& timings) {
  std::string csv =
      "# gflop: of a bi-level step for an image, twice its "
      "multiply-accumulates: five forwards of cells and classifier, three of "
      "the stem (search_space/s1_cost.h)\n"
      "# saved_mb: kept from forward to backward for an image; memory_mb: all "
      "that the engine holds\n"
      "engine,channels,layers,image,batch,threads,isa,gflop,min_ms,median_ms,"
      "best_burst_ms,peak_gflops,share_of_peak,saved_mb,memory_mb,steps\n";
  for (const Timing& t : timings) {
    const SearchStepCase& which = t.which;
    absl::StrAppendFormat(
        &csv,
        "fused,%d,%d,%d,%d,%d,%s,%.6g,%.6g,%.6g,%.6g,%.5g,%.4f,%.3f,%.1f,%d\n",
        which.channels, which.layers, which.size, which.batch, which.threads,
        MachineIsa(), t.operations() * 1e-9, t.milliseconds(t.times.min()),
        t.milliseconds(t.times.median()), t.milliseconds(t.times.best_burst()),
        t.peak * 1e-9, t.share_of_peak(Seconds(sweep, t)),
        static_cast<double>(t.memory.saved) / which.batch * 1e-6,
        static_cast<double>(t.memory.total()) * 1e-6, t.times.calls());
  }
  return csv;
}

PlotAxis XAxis(Sweep sweep) {
  PlotAxis axis;
  switch (sweep) {
    case Sweep::kBatch:
      axis.label = "images in each batch";
      axis.scale = PlotAxis::Scale::kLog2;
      break;
    case Sweep::kChannels:
      axis.label = "channels C of the first cells";
      axis.from = 0;
      break;
    case Sweep::kLayers:
      axis.label = "cells";
      axis.from = 0;
      break;
    case Sweep::kThreads:
      axis.label = "threads";
      axis.from = 0;
      break;
  }
  return axis;
}

// A line for each number of threads, one where these are varied; `value` takes
// a timing and that of the line's first step.
template <typename Value>
std::vector<PlotSeries> SeriesOf(Sweep sweep,
                                 const std::vector<Timing>& timings,
                                 Value value) {
  std::vector<PlotSeries> series;
  const Timing* first = nullptr;
  for (const Timing& timing : timings) {
    const int threads = timing.which.threads;
    const std::string name =
        sweep == Sweep::kThreads
            ? "fused engine"
            : absl::StrCat("fused engine, ", threads,
                           threads == 1 ? " thread" : " threads");
    if (series.empty() || series.back().name != name) {
      series.push_back({name, {}});
      first = &timing;
    }
    series.back().points.push_back(
        {static_cast<double>(timing.step), value(timing, *first)});
  }
  return series;
}

std::vector<PlotPanel> PanelsOf(Sweep sweep,
                                const std::vector<Timing>& timings) {
  const auto milliseconds = [&](const Timing& timing) {
    return timing.milliseconds(Seconds(sweep, timing));
  };
  PlotPanel time;
  time.x = XAxis(sweep);
  if (sweep == Sweep::kBatch) {
    time.title = "time of an image against that at batch 16";
    time.y.label = "time of an image / at batch 16";
    time.y.from = 0.7;
    time.y.to = 1.3;
    time.guides = {{1.1, "10 % slower"}, {0.9, "10 % faster"}};
    time.series = SeriesOf(sweep, timings,
                           [&](const Timing& timing, const Timing& first) {
                             return milliseconds(timing) / milliseconds(first);
                           });
  } else {
    time.title = "time of an image";
    time.y.label = "time of an image, ms";
    time.y.from = 0;
    time.series =
        SeriesOf(sweep, timings, [&](const Timing& timing, const Timing&) {
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
      SeriesOf(sweep, timings, [&](const Timing& timing, const Timing&) {
        return 100 * timing.share_of_peak(Seconds(sweep, timing));
      });
  PlotPanel memory;
  memory.x = XAxis(sweep);
  memory.title = "memory from forward to backward";
  memory.y.label = "MB an image";
  memory.y.from = 0;
  memory.series =
      SeriesOf(sweep, timings, [&](const Timing& timing, const Timing&) {
        return static_cast<double>(timing.memory.saved) / timing.which.batch *
               1e-6;
      });
  return {time, share, memory};
}

std::string Fixed(Sweep sweep, const Timing& timing) {
  switch (sweep) {
    case Sweep::kBatch:
      return "C=16, 8 cells";
    case Sweep::kChannels:
      return "8 cells, 16 images a thread";
    case Sweep::kLayers:
      return "C=16, 16 images a thread";
    case Sweep::kThreads:
      return absl::StrCat("C=16, 8 cells, batch ", timing.which.batch);
  }
  return "";
}

absl::Status Main(int argc, char** argv) {
  FD_RETURN_IF_ERROR(ParseBenchmarkFlags(
      argc, argv,
      "Times bi-level search steps of the fused engine (C=16, 8 cells, 32x32, "
      "batch 16 for each thread) while one of these is varied."));
  const std::string name = absl::GetFlag(FLAGS_sweep);
  FD_ASSIGN_OR_RETURN(const Sweep sweep, SweepOf(name));
  FD_ASSIGN_OR_RETURN(
      std::vector<int> threads,
      NumbersOfFlag("threads", absl::GetFlag(FLAGS_threads), 1024, {1}));
  if (sweep == Sweep::kThreads && threads != std::vector<int>{1}) {
    return UsageError("--threads: --sweep=threads takes them all");
  }
  if (sweep != Sweep::kBatch && absl::GetFlag(FLAGS_images) != kImages) {
    return UsageError("--images: only --sweep=batch reads it; give --steps");
  }
  const int rounds = absl::GetFlag(FLAGS_rounds);
  if (absl::GetFlag(FLAGS_steps) < 1 || rounds < 1) {
    return UsageError("--steps, --rounds: numbers from 1 on are needed");
  }
  std::vector<Timing> timings;
  for (const int count : threads) {
    for (const int step : Steps(sweep)) {
      FD_ASSIGN_OR_RETURN(timings.emplace_back(), CaseOf(sweep, step, count));
    }
  }
  SetUpCompute(1);
  // One network at a time, since the largest fill the memory of small machines;
  // in rounds, so that a machine whose clock drifts treats all alike.
  double peak = 0;
  for (int round = 0; round < rounds; ++round) {
    for (Timing& timing : timings) {
      peak = std::max(peak, ThreadPeak());
      FD_RETURN_IF_ERROR(TimeSearchSteps(timing.which, /*warmup=*/1,
                                         timing.steps, timing.times));
      std::printf("C=%d, %d cells, batch %d, %d thread(s): %.2f ms an image\n",
                  timing.which.channels, timing.which.layers,
                  timing.which.batch, timing.which.threads,
                  timing.milliseconds(Seconds(sweep, timing)));
      std::fflush(stdout);
    }
  }
  for (Timing& timing : timings) timing.peak = peak * timing.which.threads;

  SweepOutput output;
  output.path = absl::GetFlag(FLAGS_output);
  if (output.path.empty()) output.path = absl::StrCat("search_step_", name);
  output.csv = Csv(sweep, timings);
  output.title = absl::StrCat("Search step of the fused engine, ",
                              Fixed(sweep, timings.front()), ", 32x32");
  output.caption = sweep == Sweep::kBatch ? "the fastest round counts"
                                          : "the fastest step counts";
  output.panels = PanelsOf(sweep, timings);
  std::fputs(output.csv.c_str(), stdout);
  if (sweep == Sweep::kBatch) {
    std::fputs(SpreadText(output.panels.front(), "batch 16").c_str(), stdout);
  }
  return WriteSweep(output, peak);
}

}  // namespace
}  // namespace fairdarts

int main(int argc, char** argv) {
  return fairdarts::EndBenchmark(fairdarts::Main(argc, argv));
}
