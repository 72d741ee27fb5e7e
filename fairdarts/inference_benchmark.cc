// Times inference of published networks and says which share of the fused
// multiply-adds of as many threads it reaches.
//
// usage: inference_benchmark [BATCH [SECONDS [THREADS [GENOTYPE...]]]]
//
// CIFAR networks at full size with random weights. Genotypes are interleaved
// over rounds, so that all see the same machine; images are timed one batch at
// a time. Default: batch 1, 10 seconds, 1 thread, FairDARTS_a to FairDARTS_g.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "fairdarts/base/check.h"
#include "fairdarts/inference.h"
#include "fairdarts/runtime/testing.h"
#include "genotypes/catalog.h"
#include "genotypes/cost.h"
#include "ops/kernels/peak/fma_peak.h"

namespace fairdarts {
namespace {

struct Subject {
  std::string name;
  double operations;  // of an image
  Session session;
  std::vector<double> seconds;
};

Session SessionOf(const ModelDescription& description, int threads) {
  const FilledTensors filled(description, 1);
  absl::StatusOr<std::string> bytes =
      SerializeModelFile(description, filled.tensors());
  FD_CHECK(bytes.ok()) << bytes.status();
  SessionOptions options;
  options.threads = threads;
  absl::StatusOr<Session> session =
      Session::LoadBytes(*std::move(bytes), "filled", options);
  FD_CHECK(session.ok()) << session.status();
  return *std::move(session);
}

Subject SubjectOf(const std::string& name, int threads) {
  const absl::StatusOr<CatalogMatch> match = FindInCatalog(name);
  FD_CHECK(match.ok()) << match.status();
  ModelDescription description;
  description.genotype = match->entry->genotype;
  description.network = NetworkConfig::Cifar();
  description.normalization = {{0, 0, 0}, {1, 1, 1}};
  const absl::StatusOr<NetworkCost> cost =
      ComputeNetworkCost(description.genotype, description.network);
  FD_CHECK(cost.ok()) << cost.status();
  return {name, 2.0 * cost->total.macs, SessionOf(description, threads), {}};
}

int Main(int batch, double limit, int threads,
         const std::vector<std::string>& genotypes) {
  const double peak = MeasureFmaPeak(BestIsa()) * threads;
  std::printf("%s, %d thread(s), batch %d: peak %.1f GFLOP/s\n",
              std::string(IsaName(BestIsa())).c_str(), threads, batch,
              peak * 1e-9);
  std::vector<Subject> subjects;
  for (const std::string& name : genotypes) {
    subjects.push_back(SubjectOf(name, threads));
  }
  const Session& any = subjects.front().session;
  std::vector<float> images(batch * any.image_floats());
  for (size_t i = 0; i < images.size(); ++i) {
    images[i] = static_cast<float>(i * 7919 % 1000) / 500 - 1;
  }
  std::vector<float> logits(batch * any.classes());
  const auto begin = std::chrono::steady_clock::now();
  do {
    for (Subject& subject : subjects) {
      const auto start = std::chrono::steady_clock::now();
      const absl::Status run =
          subject.session.Run(images, absl::MakeSpan(logits));
      FD_CHECK(run.ok()) << run;
      subject.seconds.push_back(std::chrono::duration<double>(
                                    std::chrono::steady_clock::now() - start)
                                    .count() /
                                batch);
    }
  } while (
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
          .count() < limit);
  double logarithms = 0;
  for (Subject& subject : subjects) {
    std::vector<double>& seconds = subject.seconds;
    const double first = seconds.front();
    std::sort(seconds.begin(), seconds.end());
    const double median = seconds[seconds.size() / 2];
    std::printf(
        "%-14s min %.3f ms  median %.3f ms  first %.3f ms  %.1f %% of peak  "
        "maps %.2f MB  (%zu runs)\n",
        subject.name.c_str(), seconds.front() * 1e3, median * 1e3, first * 1e3,
        100 * subject.operations / seconds.front() / peak,
        subject.session.arena_floats() * 4e-6, seconds.size());
    logarithms += std::log(seconds.front());
  }
  std::printf("geometric mean of the minima: %.3f ms an image\n",
              1e3 * std::exp(logarithms / subjects.size()));
  return 0;
}

}  // namespace
}  // namespace fairdarts

int main(int argc, char** argv) {
  const int batch = argc > 1 ? std::max(1, std::atoi(argv[1])) : 1;
  const double seconds = argc > 2 ? std::atof(argv[2]) : 10;
  const int threads = argc > 3 ? std::max(1, std::atoi(argv[3])) : 1;
  std::vector<std::string> genotypes(argv + std::min(argc, 4), argv + argc);
  if (genotypes.empty()) {
    for (const char letter : {'a', 'b', 'c', 'd', 'e', 'f', 'g'}) {
      genotypes.push_back(std::string("FairDARTS_") + letter);
    }
  }
  return fairdarts::Main(batch, seconds, threads, genotypes);
}
