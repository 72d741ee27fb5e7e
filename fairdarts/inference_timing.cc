#include "fairdarts/inference_timing.h"

#include <chrono>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "fairdarts/inference.h"
#include "fairdarts/runtime/testing.h"
#include "genotypes/catalog.h"
#include "ops/kernels/peak/fma_peak.h"
#include "tests/golden/filler.h"

namespace fairdarts {
namespace {

constexpr int kLeastRounds = 3;
constexpr double kBurst = 0.15;  // seconds

absl::string_view NetworkName(const NetworkConfig& config) {
  return config.kind == NetworkConfig::Kind::kCifar ? "cifar" : "imagenet";
}

absl::StatusOr<Session> LoadSession(const InferenceCase& which) {
  SessionOptions options;
  options.threads = which.threads;
  options.isa = which.isa;
  if (!which.config.has_value()) return Session::Load(which.name, options);
  FD_ASSIGN_OR_RETURN(const CatalogMatch match, FindInCatalog(which.name));
  const ModelDescription description =
      DescriptionOf(match.entry->genotype, *which.config);
  // Before the filler, which takes no network that cannot be.
  FD_RETURN_IF_ERROR(
      ComputeNetworkCost(description.genotype, description.network));
  const FilledTensors filled(description, 1);
  FD_ASSIGN_OR_RETURN(std::string bytes,
                      SerializeModelFile(description, filled.tensors()));
  return Session::LoadBytes(std::move(bytes), which.name, options);
}

}  // namespace

absl::StatusOr<std::vector<InferenceTiming>> TimeInference(
    const std::vector<InferenceCase>& cases, double seconds, int burst_images) {
  std::vector<Session> sessions;
  std::vector<InferenceTiming> timings;
  int64_t floats = 0;
  for (const InferenceCase& which : cases) {
    FD_ASSIGN_OR_RETURN(Session session, LoadSession(which));
    const ModelDescription& description = session.description();
    FD_ASSIGN_OR_RETURN(
        const NetworkCost cost,
        ComputeNetworkCost(description.genotype, description.network));
    InferenceTiming timing;
    timing.which = which;
    timing.which.config = description.network;
    timing.operations = 2.0 * cost.total.macs;
    timing.maps_bytes = session.arena_floats() * which.threads * sizeof(float);
    timing.logits.resize(int64_t{which.batch} * session.classes());
    timing.peak = 0;
    timings.push_back(std::move(timing));
    floats = std::max(floats, which.batch * session.image_floats());
    sessions.push_back(std::move(session));
  }
  const std::vector<float> images =
      GoldenImages(kTimingImages, floats, kTimingImagesSeed);
  const auto begin = std::chrono::steady_clock::now();
  double peak = 0;
  for (int round = 0;
       round < kLeastRounds ||
       std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
               .count() < seconds;
       ++round) {
    peak = std::max(peak, MeasureFmaPeak(BestIsa()));
    for (size_t i = 0; i < timings.size(); ++i) {
      InferenceTiming& timing = timings[i];
      const absl::Span<const float> batch = absl::MakeSpan(images).subspan(
          0, timing.which.batch * sessions[i].image_floats());
      const int calls =
          (burst_images + timing.which.batch - 1) / timing.which.batch;
      timing.times.Burst(kBurst, calls, [&] {
        const absl::Status run =
            sessions[i].Run(batch, absl::MakeSpan(timing.logits));
        FD_CHECK(run.ok()) << run;
      });
    }
  }
  for (InferenceTiming& timing : timings) {
    timing.peak = peak * timing.which.threads;
  }
  return timings;
}

std::string InferenceCsv(const std::vector<InferenceTiming>& timings) {
  std::string csv =
      "network,name,channels,layers,image,batch,threads,isa,gflop,min_ms,"
      "median_ms,best_burst_ms,first_ms,first_over_median,peak_gflops,share_of_"
      "peak,maps_mb,"
      "calls\n";
  for (const InferenceTiming& timing : timings) {
    const InferenceCase& which = timing.which;
    absl::StrAppendFormat(
        &csv,
        "%s,%s,%d,%d,%d,%d,%d,%s,%.6g,%.6g,%.6g,%.6g,%.6g,%.3f,%.5g,%.4f,%.3f,%"
        "d\n",
        NetworkName(*which.config), which.name, which.config->init_channels,
        which.config->layers, which.config->image_size, which.batch,
        which.threads, IsaName(which.isa), timing.operations * 1e-9,
        timing.milliseconds(timing.times.min()),
        timing.milliseconds(timing.times.median()),
        timing.milliseconds(timing.times.best_burst()),
        timing.milliseconds(timing.times.first()),
        timing.times.first_over_median(), timing.peak * 1e-9,
        timing.share_of_peak(timing.times.min()), timing.maps_bytes * 1e-6,
        timing.times.calls());
  }
  return csv;
}

std::string InferenceTable(const std::vector<InferenceTiming>& timings) {
  size_t width = 4;
  for (const InferenceTiming& timing : timings) {
    width = std::max(width, timing.which.name.size());
  }
  std::string table = absl::StrFormat(
      "%-*s %8s %3s %6s %5s %7s %9s %10s %12s %9s %6s %6s\n", width, "name",
      "network", "C", "layers", "batch", "threads", "min ms", "median ms",
      "first/median", "% of peak", "MB", "calls");
  struct Mean {
    double logarithms = 0;
    double shares = 0;
    int cases = 0;
  };
  // By everything but the genotype.
  std::map<std::tuple<std::string, int, int, int, int>, Mean> means;
  for (const InferenceTiming& timing : timings) {
    const InferenceCase& which = timing.which;
    const std::string network(NetworkName(*which.config));
    const double min = timing.milliseconds(timing.times.min());
    absl::StrAppendFormat(
        &table,
        "%-*s %8s %3d %6d %5d %7d %9.3f %10.3f %12.2f %9.1f %6.2f %6d\n", width,
        which.name, network, which.config->init_channels, which.config->layers,
        which.batch, which.threads, min,
        timing.milliseconds(timing.times.median()),
        timing.times.first_over_median(),
        100 * timing.share_of_peak(timing.times.min()),
        timing.maps_bytes * 1e-6, timing.times.calls());
    Mean& mean = means[{network, which.config->init_channels,
                        which.config->layers, which.batch, which.threads}];
    mean.logarithms += std::log(min);
    mean.shares += std::log(timing.share_of_peak(timing.times.min()));
    ++mean.cases;
  }
  for (const auto& [key, mean] : means) {
    if (mean.cases < 2) continue;
    const auto& [network, channels, layers, batch, threads] = key;
    absl::StrAppendFormat(
        &table,
        "geometric mean of %d, %s, C=%d, %d layers, batch %d, %d thread(s): "
        "%.3f ms, %.1f %% of peak\n",
        mean.cases, network, channels, layers, batch, threads,
        std::exp(mean.logarithms / mean.cases),
        100 * std::exp(mean.shares / mean.cases));
  }
  return table;
}

}  // namespace fairdarts
