#ifndef FAIRDARTS_INFERENCE_TIMING_H_
#define FAIRDARTS_INFERENCE_TIMING_H_

// Times sessions (fairdarts/inference.h) against each other and against the
// multiply-adds of the machine, for benchmarks.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "fairdarts/call_times.h"
#include "genotypes/cost.h"
#include "ops/kernels/isa.h"

namespace fairdarts {

// One thing to time.
struct InferenceCase {
  // A genotype of the catalog, for a network of `config` with random weights;
  // without a config the path of a model file.
  std::string name;
  absl::optional<NetworkConfig> config;
  int batch = 1;
  int threads = 1;
  Isa isa = BestIsa();
};

struct InferenceTiming {
  InferenceCase which;        // with the config of its model file
  double operations;          // of an image: two for each multiply-accumulate
  int64_t maps_bytes;         // beside the weights, of all threads
  CallTimes times;            // each call is a whole batch
  std::vector<float> logits;  // [batch, classes]

  // Operations a second that as many threads reach with fused multiply-adds of
  // the machine's best instruction set alone: the best over all rounds.
  double peak;

  double milliseconds(double call) const { return 1e3 * call / which.batch; }
  double share_of_peak(double call) const {
    return operations * which.batch / call / peak;
  }
};

// The images of all cases: GoldenImages(kTimingImages, floats,
// kTimingImagesSeed) of tests/golden/filler.h.
inline constexpr absl::string_view kTimingImages = "x";
inline constexpr uint64_t kTimingImagesSeed = 47;

// Rounds over all cases until `seconds` are over, three at least: first the
// peak, then a burst of each, of `burst_images` images at least. So a machine
// whose clock drifts treats all alike. Errors: FindInCatalog,
// ComputeNetworkCost, Session::Load.
absl::StatusOr<std::vector<InferenceTiming>> TimeInference(
    const std::vector<InferenceCase>& cases, double seconds,
    int burst_images = 1);

// A line of names and one for each timing, times in milliseconds an image:
// network,name,channels,layers,image,batch,threads,isa,gflop,min_ms,median_ms,
// best_burst_ms,first_ms,first_over_median,peak_gflops,share_of_peak,maps_mb,calls
std::string InferenceCsv(const std::vector<InferenceTiming>& timings);

// The same for people. Below it the geometric mean of what differs in the
// genotype alone.
std::string InferenceTable(const std::vector<InferenceTiming>& timings);

}  // namespace fairdarts

#endif  // FAIRDARTS_INFERENCE_TIMING_H_
