#include "training/data/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/random.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

// No sample index is larger: exact as a double, and no sum of two overflows.
constexpr int64_t kMaxSamples = int64_t{1} << 40;

}  // namespace

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
  if (options.batch_size < 1) {
    return UsageError(absl::StrCat("batch_size is ", options.batch_size,
                                   ", should be at least 1"));
  }
  for (const bool weights : {true, false}) {
    const int64_t side = weights ? weight_samples : alpha_samples;
    if (options.batch_size > side) {
      return UsageError(absl::StrCat(
          "batch_size ", options.batch_size, " is larger than the ", side,
          " training samples for the ", weights ? "weights" : "alphas"));
    }
  }
  if (options.steps_per_epoch < 0) {
    return UsageError(absl::StrCat("steps_per_epoch is ",
                                   options.steps_per_epoch,
                                   ", should be at least 0 (0: all)"));
  }
  return SearchSampler(options, weight_samples);
}

SearchSampler::SearchSampler(const SamplerOptions& options,
                             int64_t weight_samples)
    : options_(options), weight_samples_(weight_samples) {
  steps_per_epoch_ =
      (weight_samples + options.batch_size - 1) / options.batch_size;
  if (options.steps_per_epoch > 0) {
    steps_per_epoch_ = std::min(steps_per_epoch_, options.steps_per_epoch);
  }
}

std::vector<int64_t> SearchSampler::EpochOrder(int64_t epoch) const {
  std::vector<int64_t> order(weight_samples_);
  std::iota(order.begin(), order.end(), int64_t{0});
  RandomStream stream("search/order",
                      {options_.seed, static_cast<uint64_t>(epoch)});
  stream.Shuffle(order);
  return order;
}

absl::Span<const int64_t> SearchSampler::WeightBatch(
    const std::vector<int64_t>& order, int64_t step) const {
  FD_CHECK_EQ(static_cast<int64_t>(order.size()), weight_samples_);
  FD_CHECK(step >= 0 && step < steps_per_epoch_) << step;
  // subspan() stops at the end by itself.
  return absl::MakeConstSpan(order).subspan(step * options_.batch_size,
                                            options_.batch_size);
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
    batch.push_back(weight_samples_ + chosen);
  }
  return batch;
}

}  // namespace fairdarts
