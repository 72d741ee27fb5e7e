// Times inference, and says which share of the machine's fused multiply-adds it
// reaches: ./bazelw run //fairdarts:inference_benchmark -- --help

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "fairdarts/base/user_path.h"
#include "fairdarts/benchmark_flags.h"
#include "fairdarts/inference_timing.h"
#include "fairdarts/sweep_output.h"
#include "genotypes/cost.h"

using Texts = std::vector<std::string>;

ABSL_FLAG(Texts, batch, Texts({"1"}), "images a call, a list");
ABSL_FLAG(Texts, threads, Texts({"1"}), "threads of a session, a list");
ABSL_FLAG(Texts, genotypes, {},
          "genotypes of the catalog; none: FairDARTS_a to FairDARTS_g");
ABSL_FLAG(std::string, network, "",
          "cifar (20 layers, C=36, 32x32; where nothing is said) or imagenet "
          "(14 layers, C=48, 224x224)");
ABSL_FLAG(Texts, channels, {}, "C, a list; none: the network's");
ABSL_FLAG(Texts, layers, {}, "cells, a list; none: the network's");
ABSL_FLAG(Texts, model, {}, "model files, in place of genotypes and networks");
ABSL_FLAG(std::string, isa, "",
          "reference, sse4, avx2, avx512 or neon; none: the best there is");
ABSL_FLAG(double, seconds, 10, "how long to measure");
ABSL_FLAG(std::string, csv, "", "a file for the figures as well");
ABSL_FLAG(std::string, logits, "",
          "a file for the logits of the first case, float32, of images that "
          "are always the same");

namespace fairdarts {
namespace {

absl::StatusOr<std::vector<InferenceCase>> Networks() {
  std::vector<InferenceCase> networks;
  const Texts models = absl::GetFlag(FLAGS_model);
  const Texts genotypes = absl::GetFlag(FLAGS_genotypes);
  const Texts channels = absl::GetFlag(FLAGS_channels);
  const Texts layers = absl::GetFlag(FLAGS_layers);
  const std::string network = absl::GetFlag(FLAGS_network);
  if (!models.empty()) {
    if (!genotypes.empty() || !channels.empty() || !layers.empty() ||
        !network.empty()) {
      return UsageError(
          "--model says which network it is: no --genotypes, --network, "
          "--channels or --layers beside it");
    }
    for (const std::string& model : models) {
      networks.emplace_back();
      networks.back().name = UserPath(model);
    }
    return networks;
  }
  if (network != "" && network != "cifar" && network != "imagenet") {
    return UsageError(absl::StrCat("--network: \"", network,
                                   "\" is neither cifar nor imagenet"));
  }
  NetworkConfig config = network == "imagenet" ? NetworkConfig::ImageNet()
                                               : NetworkConfig::Cifar();
  FD_ASSIGN_OR_RETURN(
      const std::vector<int> all_channels,
      NumbersOfFlag("channels", channels, 1024, {config.init_channels}));
  FD_ASSIGN_OR_RETURN(const std::vector<int> all_layers,
                      NumbersOfFlag("layers", layers, 200, {config.layers}));
  for (const std::string& genotype : GenotypesOfFlag(genotypes)) {
    for (const int c : all_channels) {
      for (const int l : all_layers) {
        config.init_channels = c;
        config.layers = l;
        InferenceCase one;
        one.name = genotype;
        one.config = config;
        networks.push_back(one);
      }
    }
  }
  return networks;
}

absl::Status Main(int argc, char** argv) {
  FD_RETURN_IF_ERROR(ParseBenchmarkFlags(
      argc, argv,
      "Times inference of published networks with random weights, or of model "
      "files. Lists are separated by commas; everything is timed with "
      "everything, in turns."));
  FD_ASSIGN_OR_RETURN(
      const std::vector<int> batches,
      NumbersOfFlag("batch", absl::GetFlag(FLAGS_batch), 4096, {1}));
  FD_ASSIGN_OR_RETURN(
      const std::vector<int> threads,
      NumbersOfFlag("threads", absl::GetFlag(FLAGS_threads), 1024, {1}));
  FD_ASSIGN_OR_RETURN(const Isa isa,
                      IsaOfFlag("isa", absl::GetFlag(FLAGS_isa)));
  FD_ASSIGN_OR_RETURN(const std::vector<InferenceCase> networks, Networks());
  const double seconds = absl::GetFlag(FLAGS_seconds);
  if (!(seconds >= 0) || !std::isfinite(seconds)) {
    return UsageError("--seconds: a number from 0 on is needed");
  }
  std::vector<InferenceCase> cases;
  for (const int batch : batches) {
    for (const int count : threads) {
      for (InferenceCase one : networks) {
        one.batch = batch;
        one.threads = count;
        one.isa = isa;
        cases.push_back(one);
      }
    }
  }
  FD_ASSIGN_OR_RETURN(const std::vector<InferenceTiming> timings,
                      TimeInference(cases, seconds));
  const InferenceTiming& first = timings.front();
  std::printf("%s\n%s", MachineText(first.peak / first.which.threads).c_str(),
              InferenceTable(timings).c_str());
  const std::string csv = absl::GetFlag(FLAGS_csv);
  if (!csv.empty()) {
    FD_RETURN_IF_ERROR(WriteFileAtomic(UserPath(csv), InferenceCsv(timings)));
  }
  const std::string logits = absl::GetFlag(FLAGS_logits);
  if (logits.empty()) return absl::OkStatus();
  return WriteFileAtomic(
      UserPath(logits),
      absl::string_view(reinterpret_cast<const char*>(first.logits.data()),
                        first.logits.size() * sizeof(float)));
}

}  // namespace
}  // namespace fairdarts

int main(int argc, char** argv) {
  return fairdarts::EndBenchmark(fairdarts::Main(argc, argv));
}
