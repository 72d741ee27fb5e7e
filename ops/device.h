#ifndef OPS_DEVICE_H_
#define OPS_DEVICE_H_

// The device that a program computes on.

#include "absl/status/statusor.h"
#include "c10/core/Device.h"

namespace fairdarts {

// The CPU, or the GPU where `cuda` asks for it; an environment error that says
// what is missing where this program or this machine has none.
//
// A GPU is also set up, for the whole process and this thread: fp32 is fp32
// (SetUpCudaMath), and what this thread asks of it runs on a stream of its own,
// since the default one cannot be recorded. Call it before the first tensor
// there.
absl::StatusOr<c10::Device> FindDevice(bool cuda, bool deterministic = false);

// The arithmetic of a GPU: convolutions and products of float32 do not round
// their factors to TF32. `deterministic` takes no algorithm whose sums depend
// on the order in which threads arrive; without it cuDNN tries its algorithms
// on the first batch of each shape and keeps the fastest.
void SetUpCudaMath(bool deterministic);

}  // namespace fairdarts

#endif  // OPS_DEVICE_H_
