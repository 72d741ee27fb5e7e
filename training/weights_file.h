#ifndef TRAINING_WEIGHTS_FILE_H_
#define TRAINING_WEIGHTS_FILE_H_

// What a search leaves of its network: a safetensors file.

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "fairdarts/relaxation.h"
#include "torch/nn/module.h"

namespace fairdarts {

// The bytes of a file with every parameter and buffer of `module` under its
// state-dict name, parameters first, then `alphas` as alphas_normal and
// alphas_reduce, and `metadata`. Tensors may lie on any device in any memory
// format; the file holds them row-major.
absl::StatusOr<std::string> SerializeWeights(
    const torch::nn::Module& module, const Alphas& alphas,
    const std::map<std::string, std::string>& metadata);

}  // namespace fairdarts

#endif  // TRAINING_WEIGHTS_FILE_H_
