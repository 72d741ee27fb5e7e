#ifndef TRAINING_DATA_BATCH_H_
#define TRAINING_DATA_BATCH_H_

// From a dataset and sample indices to the tensors of one step.

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "fairdarts/batch.h"
#include "training/data/augment.h"
#include "training/data/dataset.h"
#include "training/data/device_augment.h"

namespace fairdarts {

struct BatchOptions {
  AugmentOptions augment;
  uint64_t seed = 0;
  // Sets the random streams of batches with different uses apart: "train",
  // "alpha".
  std::string purpose = "train";
  bool channels_last = false;
};

// The host's part of an augmented batch, where a device does the rest.
struct RawBatch {
  torch::Tensor bytes;   // [N, channels, H, W] uint8
  torch::Tensor labels;  // [N] int64
  torch::Tensor places;  // [N, kPlaceNumbers] int64 (device_augment.h)
};

// A batch on a device; the batch itself where it is there already.
Batch ToDevice(const Batch& batch, torch::Device device);

// Thread-safe. Every batch is new memory, so that a graph may hold on to an
// earlier one, and its bytes depend on the arguments and options alone.
class BatchMaker {
 public:
  // A usage error for a bad augmentation. The dataset must outlive the maker.
  static absl::StatusOr<BatchMaker> Create(const Dataset* dataset,
                                           const BatchOptions& options);

  // Augmented images of `samples`, in their order. `round` sets two visits to
  // a sample apart: the epoch, or the global step where each step draws anew.
  // An index out of range is our own bug (FD_CHECK).
  Batch Augmented(absl::Span<const int64_t> samples, int64_t round) const;

  // What AugmenterOn() makes the images of Augmented() of, the same bits, on
  // the CPU: in memory that a GPU copies from on its own where `pinned`.
  RawBatch Raw(absl::Span<const int64_t> samples, int64_t round,
               bool pinned) const;
  DeviceAugmenter AugmenterOn(torch::Device device) const;

  // The same images only normalised, for evaluation.
  Batch Plain(absl::Span<const int64_t> samples) const;

  // Samples [begin, end), only normalised.
  Batch Plain(int64_t begin, int64_t end) const;

 private:
  BatchMaker(const Dataset* dataset, const BatchOptions& options,
             Augmenter augmented, Augmenter plain);

  Batch Make(absl::Span<const int64_t> samples, const Augmenter& augmenter,
             int64_t round) const;

  const Dataset* dataset_;
  BatchOptions options_;
  Augmenter augmented_;
  Augmenter plain_;
};

}  // namespace fairdarts

#endif  // TRAINING_DATA_BATCH_H_
