#ifndef TRAINING_DATA_SAMPLER_H_
#define TRAINING_DATA_SAMPLER_H_

// Which samples a search sees at which step. The first `train_portion` of the
// training set is for the weights, the rest for the alphas, by index, as in
// DARTS and FairDARTS (https://arxiv.org/abs/1911.12126).
//
// Every answer is a function of the options, the epoch and the step alone:
// nothing is remembered, so a search that goes on after a stop sees what one
// without a stop would have seen.

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "training/data/epoch_sampler.h"

namespace fairdarts {

struct SamplerOptions {
  int64_t samples = 0;          // in the training set
  double train_portion = 0.5;   // in (0, 1): the weights' share
  int64_t batch_size = 0;       // at most the smaller side
  int64_t steps_per_epoch = 0;  // cap; 0: until the weights' side is used up
  uint64_t seed = 0;
};

// Thread-safe.
class SearchSampler {
 public:
  // A usage error for an option out of range.
  static absl::StatusOr<SearchSampler> Create(const SamplerOptions& options);

  // Samples [0, weight_samples()) are the weights', floor(train_portion *
  // samples) of them; [weight_samples(), samples()) are the alphas'.
  int64_t samples() const { return options_.samples; }
  int64_t weight_samples() const { return weights_.samples(); }
  int64_t alpha_samples() const { return samples() - weight_samples(); }

  // The weights' side, each sample once an epoch (epoch_sampler.h).
  const EpochSampler& weights() const { return weights_; }
  int64_t steps_per_epoch() const { return weights_.steps_per_epoch(); }
  std::vector<int64_t> EpochOrder(int64_t epoch) const {
    return weights_.Order(epoch);
  }
  absl::Span<const int64_t> WeightBatch(const std::vector<int64_t>& order,
                                        int64_t step) const {
    return weights_.Batch(order, step);
  }

  // batch_size different samples of the alphas' side: any set of that size is
  // equally likely, at each step anew. `global_step` counts through all
  // epochs. Time and memory depend on the batch size only.
  std::vector<int64_t> AlphaBatch(int64_t global_step) const;

 private:
  SearchSampler(const SamplerOptions& options, EpochSampler weights)
      : options_(options), weights_(std::move(weights)) {}

  SamplerOptions options_;
  EpochSampler weights_;
};

}  // namespace fairdarts

#endif  // TRAINING_DATA_SAMPLER_H_
