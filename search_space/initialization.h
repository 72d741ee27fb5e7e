#ifndef SEARCH_SPACE_INITIALIZATION_H_
#define SEARCH_SPACE_INITIALIZATION_H_

// The weights that a network starts from.

#include <torch/nn/module.h>

#include <cstdint>

namespace fairdarts {

// Gives every convolution and linear layer PyTorch's default distribution:
// weights and biases uniform in +-1/sqrt(fan_in) (Kaiming uniform with
// a = sqrt(5), He et al., arXiv 1502.01852), where fan_in is the number of
// inputs of an output. Batch norm keeps what it starts with (1 and 0).
//
// Each tensor has a stream of its own, keyed by the seed and its state-dict
// name: the same seed gives the same bytes, whatever ran before.
void InitializeParameters(torch::nn::Module& module, uint64_t seed);

}  // namespace fairdarts

#endif  // SEARCH_SPACE_INITIALIZATION_H_
