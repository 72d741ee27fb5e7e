#include "training/data/epoch_sampler.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/random.h"
#include "fairdarts/base/status.h"

namespace fairdarts {

absl::StatusOr<EpochSampler> EpochSampler::Create(
    const EpochSamplerOptions& options) {
  if (options.samples < 1 || options.samples > kMaxSamples) {
    return UsageError(absl::StrCat("the training set has ", options.samples,
                                   " samples, should be 1 to ", kMaxSamples));
  }
  if (options.batch_size < 1) {
    return UsageError(absl::StrCat("batch_size is ", options.batch_size,
                                   ", should be at least 1"));
  }
  if (options.batch_size > options.samples) {
    return UsageError(absl::StrCat("batch_size ", options.batch_size,
                                   " is larger than the ", options.samples,
                                   " samples to train on"));
  }
  if (options.steps_per_epoch < 0) {
    return UsageError(absl::StrCat("steps_per_epoch is ",
                                   options.steps_per_epoch,
                                   ", should be at least 0 (0: all)"));
  }
  return EpochSampler(options);
}

EpochSampler::EpochSampler(EpochSamplerOptions options)
    : options_(std::move(options)) {
  steps_per_epoch_ =
      (options_.samples + options_.batch_size - 1) / options_.batch_size;
  if (options_.steps_per_epoch > 0) {
    steps_per_epoch_ = std::min(steps_per_epoch_, options_.steps_per_epoch);
  }
}

std::vector<int64_t> EpochSampler::Order(int64_t epoch) const {
  std::vector<int64_t> order(options_.samples);
  std::iota(order.begin(), order.end(), int64_t{0});
  RandomStream stream(options_.purpose,
                      {options_.seed, static_cast<uint64_t>(epoch)});
  stream.Shuffle(order);
  return order;
}

absl::Span<const int64_t> EpochSampler::Batch(const std::vector<int64_t>& order,
                                              int64_t step) const {
  FD_CHECK_EQ(static_cast<int64_t>(order.size()), options_.samples);
  FD_CHECK(step >= 0 && step < steps_per_epoch_) << step;
  // subspan() stops at the end by itself.
  return absl::MakeConstSpan(order).subspan(step * options_.batch_size,
                                            options_.batch_size);
}

}  // namespace fairdarts
