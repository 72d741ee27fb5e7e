#ifndef TRAINING_MEMORY_FORMAT_H_
#define TRAINING_MEMORY_FORMAT_H_

// The order of the bytes of images, weights and activations.

#include "torch/nn/module.h"
#include "training/machine.pb.h"

namespace fairdarts {

// Whether to use channels_last: as `format` says; for AUTO what is measured
// faster for a search network of that many initial channels (training/README).
bool UsesChannelsLast(Machine::MemoryFormat format, int channels);

// Puts the convolutions' weights into channels_last.
void ToChannelsLast(torch::nn::Module& module);

}  // namespace fairdarts

#endif  // TRAINING_MEMORY_FORMAT_H_
