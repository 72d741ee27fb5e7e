#ifndef TRAINING_DATA_DEVICE_AUGMENT_H_
#define TRAINING_DATA_DEVICE_AUGMENT_H_

// The end of augmentation (augment.h) on whatever device the bytes are on.

#include <torch/types.h>

#include "training/data/augment.h"

namespace fairdarts {

// Crop, flip, normalise and cutout of a whole batch in a few operations of
// torch, none of which reads a value on the host: they can be recorded in a
// graph. What is random was drawn before, from the same streams, and each
// float is the same bits as Augmenter's. AutoAugment, whose operations are
// Pillow's to the last bit, and decoding stay with the host.
class DeviceAugmenter {
 public:
  // `height` and `width` of the images; they come out in channels_last where
  // that is asked for. Throws what torch throws.
  DeviceAugmenter(const Augmenter& augmenter, int height, int width,
                  bool channels_last, torch::Device device);

  // Bytes [N, C, H, W] and places [N, kPlaceNumbers] (PutPlace) on the device
  // to floats [N, C, H, W]. Throws what torch throws.
  torch::Tensor Apply(const torch::Tensor& bytes,
                      const torch::Tensor& places) const;

 private:
  torch::Tensor scale_;    // [C, 1, 1]
  torch::Tensor offset_;   // [C, 1, 1]
  torch::Tensor rows_;     // [H]: 0, 1, ...
  torch::Tensor columns_;  // [W]
  torch::MemoryFormat format_;
};

// A placement as a row of int64.
inline constexpr int64_t kPlaceNumbers = 7;
void PutPlace(const Placement& placement, int64_t* row);

}  // namespace fairdarts

#endif  // TRAINING_DATA_DEVICE_AUGMENT_H_
