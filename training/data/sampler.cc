#include "training/data/sampler.h"

#include <cmath>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/random.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
absl::StatusOr<SearchSampler> SearchSampler::Create(
    const SamplerOptions& options) {
  if (options.samples < 1 || options.samples > kMaxSamples) {
    return UsageError(absl::StrCat("the training set has ", options.samples,
                                   " samples, should be 1 to ", kMaxSamples));
  }
  // The negation also refuses NaN.
  if (!(options.train_portion > 0 && options.train_portion < 1)) {
    return UsageError(absl::StrCat("train_portion is ", options.train_portion,
                                   ", should be between 0 and 1"));
  }
  const auto weight_samples = static_cast<int64_t>(
      std::floor(options.train_portion * static_cast<double>(options.samples)));
  const int64_t alpha_samples = options.samples - weight_samples;
  if (weight_samples == 0 || alpha_samples == 0) {
    return UsageError(absl::StrCat(
        "train_portion ", options.train_portion, " leaves the ",
        weight_samples == 0 ? "weights" : "alphas", " none of the ",
        options.samples, " training samples, should leave both sides some"));
  }
  for (const auto& [side, samples] :
       {std::pair<const char*, int64_t>{"weights", weight_samples},
        {"alphas", alpha_samples}}) {
    if (options.batch_size <= samples) continue;
    return UsageError(absl::StrCat("batch_size ", options.batch_size,
                                   " is larger than the ", samples,
                                   " training samples for the ", side));
  }
  EpochSamplerOptions weights;
  weights.samples = weight_samples;
  weights.batch_size = options.batch_size;
  weights.steps_per_epoch = options.steps_per_epoch;
  weights.seed = options.seed;
  weights.purpose = "search/order";
  FD_ASSIGN_OR_RETURN(EpochSampler sampler, EpochSampler::Create(weights));
  return SearchSampler(options, std::move(sampler));
}

std::vector<int64_t> SearchSampler::AlphaBatch(int64_t global_step) const {
  RandomStream stream("search/alpha_batch",
                      {options_.seed, static_cast<uint64_t>(global_step)});
  // Floyd's sampling without replacement (Bentley, Programming Pearls: A
  // Sample of Brilliance, 1987): when the draw is taken, the newest index is
  // not.
  std::vector<int64_t> batch;
  batch.reserve(options_.batch_size);
  absl::flat_hash_set<int64_t> taken;
  taken.reserve(options_.batch_size);
  for (int64_t i = alpha_samples() - options_.batch_size; i < alpha_samples();
       ++i) {
    const auto draw = static_cast<int64_t>(stream.Below(i + 1));
    const int64_t chosen = taken.insert(draw).second ? draw : i;
    taken.insert(chosen);
    batch.push_back(weight_samples() + chosen);
  }
  return batch;
}

}  // namespace fairdarts
