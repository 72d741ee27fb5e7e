#ifndef TRAINING_DATA_EPOCH_SAMPLER_H_
#define TRAINING_DATA_EPOCH_SAMPLER_H_

// Every sample once an epoch, in an order that each epoch draws anew.
//
// The order is a function of the options and the epoch alone: nothing is
// remembered, so a run that goes on after a stop sees what one without a stop
// would have seen.

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace fairdarts {

// No sample index is larger: exact as a double, and no sum of two overflows.
inline constexpr int64_t kMaxSamples = int64_t{1} << 40;

struct EpochSamplerOptions {
  int64_t samples = 0;          // 0 .. samples - 1 are drawn
  int64_t batch_size = 0;       // at most `samples`
  int64_t steps_per_epoch = 0;  // cap; 0: until all samples are used up
  uint64_t seed = 0;
  std::string purpose;  // of the random stream: "search/order"
};

// Thread-safe.
class EpochSampler {
 public:
  // A usage error for an option out of range.
  static absl::StatusOr<EpochSampler> Create(
      const EpochSamplerOptions& options);

  int64_t samples() const { return options_.samples; }

  // Batches in an epoch. The last one is smaller where the batch size does not
  // divide the samples and no cap cuts it off.
  int64_t steps_per_epoch() const { return steps_per_epoch_; }
  int64_t last_batch_size() const {
    return std::min(
        options_.batch_size,
        options_.samples - (steps_per_epoch_ - 1) * options_.batch_size);
  }

  // The samples in the order of an epoch.
  std::vector<int64_t> Order(int64_t epoch) const;

  // Step `step` of the epoch with that order, in [0, steps_per_epoch()).
  absl::Span<const int64_t> Batch(const std::vector<int64_t>& order,
                                  int64_t step) const;

 private:
  explicit EpochSampler(EpochSamplerOptions options);

  EpochSamplerOptions options_;
  int64_t steps_per_epoch_;
};

}  // namespace fairdarts

#endif  // TRAINING_DATA_EPOCH_SAMPLER_H_
