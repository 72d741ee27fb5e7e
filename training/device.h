#ifndef TRAINING_DEVICE_H_
#define TRAINING_DEVICE_H_

#include "absl/status/statusor.h"
#include "c10/core/Device.h"

namespace fairdarts {

// The CPU, or the GPU where `cuda` asks for it; an environment error where
// this LibTorch or this machine has none.
absl::StatusOr<c10::Device> FindDevice(bool cuda);

}  // namespace fairdarts

#endif  // TRAINING_DEVICE_H_
