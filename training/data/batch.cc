#include "training/data/batch.h"

#include <torch/torch.h>

#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

void PlanarToInterleaved(const float* planar, int64_t channels, int64_t plane,
                         float* interleaved) {
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t i = 0; i < plane; ++i) {
      interleaved[i * channels + c] = planar[c * plane + i];
    }
  }
}

}  // namespace

Batch ToDevice(const Batch& batch, torch::Device device) {
  return {batch.images.to(device), batch.labels.to(device)};
}

absl::StatusOr<BatchMaker> BatchMaker::Create(const Dataset* dataset,
                                              const BatchOptions& options) {
  FD_ASSIGN_OR_RETURN(Augmenter augmented,
                      Augmenter::Create(options.augment, *dataset));
  FD_ASSIGN_OR_RETURN(Augmenter plain,
                      Augmenter::Create(AugmentOptions(), *dataset));
  return BatchMaker(dataset, options, std::move(augmented), std::move(plain));
}

BatchMaker::BatchMaker(const Dataset* dataset, const BatchOptions& options,
                       Augmenter augmented, Augmenter plain)
    : dataset_(dataset),
      options_(options),
      augmented_(std::move(augmented)),
      plain_(std::move(plain)) {
  options_.purpose = absl::StrCat("augment/", options.purpose);
}

Batch BatchMaker::Augmented(absl::Span<const int64_t> samples,
                            int64_t round) const {
  return Make(samples, augmented_, round);
}

RawBatch BatchMaker::Raw(absl::Span<const int64_t> samples, int64_t round,
                         bool pinned) const {
  const auto size = static_cast<int64_t>(samples.size());
  const auto options =
      torch::TensorOptions(torch::kInt64).pinned_memory(pinned);
  RawBatch batch;
  batch.bytes = torch::empty(
      {size, dataset_->channels, dataset_->height, dataset_->width},
      options.dtype(torch::kUInt8));
  batch.labels = torch::empty({size}, options);
  batch.places = torch::empty({size, kPlaceNumbers}, options);
  auto* const bytes = batch.bytes.data_ptr<uint8_t>();
  auto* const labels = batch.labels.data_ptr<int64_t>();
  auto* const places = batch.places.data_ptr<int64_t>();
  for (int64_t b = 0; b < size; ++b) {
    const int64_t sample = samples[b];
    FD_CHECK(sample >= 0 && sample < dataset_->size()) << sample;
    PutPlace(augmented_.Prepare(
                 dataset_->image(sample),
                 AugmentStream(options_.purpose, options_.seed, round, sample),
                 bytes + b * dataset_->image_bytes()),
             places + b * kPlaceNumbers);
    labels[b] = dataset_->labels[sample];
  }
  return batch;
}

DeviceAugmenter BatchMaker::AugmenterOn(torch::Device device) const {
  return DeviceAugmenter(augmented_, dataset_->height, dataset_->width,
                         options_.channels_last, device);
}

Batch BatchMaker::Plain(absl::Span<const int64_t> samples) const {
  return Make(samples, plain_, 0);
}

Batch BatchMaker::Plain(int64_t begin, int64_t end) const {
  FD_CHECK(begin >= 0 && begin <= end) << begin << " to " << end;
  std::vector<int64_t> samples(end - begin);
  std::iota(samples.begin(), samples.end(), begin);
  return Plain(samples);
}

Batch BatchMaker::Make(absl::Span<const int64_t> samples,
                       const Augmenter& augmenter, int64_t round) const {
  const auto size = static_cast<int64_t>(samples.size());
  const int64_t channels = dataset_->channels;
  const int64_t pixels = dataset_->image_bytes();
  // With one channel both layouts are the same bytes.
  const bool interleave = options_.channels_last && channels > 1;
  Batch batch;
  batch.images =
      torch::empty({size, channels, dataset_->height, dataset_->width},
                   torch::TensorOptions(torch::kFloat32)
                       .memory_format(options_.channels_last
                                          ? torch::MemoryFormat::ChannelsLast
                                          : torch::MemoryFormat::Contiguous));
  batch.labels = torch::empty({size}, torch::kInt64);
  auto* const images = batch.images.data_ptr<float>();
  auto* const labels = batch.labels.data_ptr<int64_t>();
  std::vector<float> planar(interleave ? pixels : 0);
  for (int64_t b = 0; b < size; ++b) {
    const int64_t sample = samples[b];
    FD_CHECK(sample >= 0 && sample < dataset_->size()) << sample;
    float* const image = images + b * pixels;
    augmenter.Apply(
        dataset_->image(sample),
        AugmentStream(options_.purpose, options_.seed, round, sample),
        interleave ? planar.data() : image);
    if (interleave) {
      PlanarToInterleaved(planar.data(), channels, pixels / channels, image);
    }
    labels[b] = dataset_->labels[sample];
  }
  return batch;
}

}  // namespace fairdarts
