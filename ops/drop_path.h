#ifndef OPS_DROP_PATH_H_
#define OPS_DROP_PATH_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fairdarts/base/random.h"

namespace fairdarts {

// Drop path (FractalNet, arXiv 1605.07648): in training, the image n of
// x [N, ...] becomes
//   x[n] * b_n / keep,   b_n ~ Bernoulli(keep),   keep = 1 - drop_probability,
// so that its expectation stays. Draws one number per image from `stream`, on
// the CPU and in order: where x lives does not change what is dropped. Outside
// training, or with probability 0, it is x itself and nothing is drawn. Never
// in place. Needs 0 <= drop_probability < 1.
at::Tensor DropPath(const at::Tensor& x, double drop_probability, bool training,
                    RandomStream& stream);

// The factors b_n / keep of that many images, from the same numbers.
std::vector<float> DrawPathScales(int64_t images, double drop_probability,
                                  RandomStream& stream);

}  // namespace fairdarts

#endif  // OPS_DROP_PATH_H_
