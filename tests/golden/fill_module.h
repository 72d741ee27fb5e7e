#ifndef TESTS_GOLDEN_FILL_MODULE_H_
#define TESTS_GOLDEN_FILL_MODULE_H_

// The filler of filler.h for tensors and whole modules.

#include <torch/torch.h>

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"

namespace fairdarts {

torch::Tensor GoldenUnitTensor(absl::string_view name,
                               const std::vector<int64_t>& shape,
                               uint64_t seed);
torch::Tensor GoldenImagesTensor(absl::string_view name,
                                 const std::vector<int64_t>& shape,
                                 uint64_t seed);
torch::Tensor GoldenLabelsTensor(absl::string_view name, int64_t n,
                                 int64_t classes, uint64_t seed);

// Overwrites every parameter and buffer by its name in the module, as the
// golden cases did.
void FillModule(torch::nn::Module& module, uint64_t seed);

}  // namespace fairdarts

#endif  // TESTS_GOLDEN_FILL_MODULE_H_
