#ifndef TRAINING_AUTO_AUGMENT_POLICY_H_
#define TRAINING_AUTO_AUGMENT_POLICY_H_

// AutoAugment's policy for CIFAR-10 (https://arxiv.org/abs/1805.09501, table
// 7): one of 25 sub-policies is picked for each image, and each of its two
// operations is applied, one after the other, with its own probability.

#include <array>
#include <cstdint>

#include "fairdarts/base/random.h"
#include "training/auto_augment/image_shape.h"
#include "training/auto_augment/operation.h"

namespace fairdarts {

struct SubPolicy {
  struct Step {
    float probability;
    ImageOperation operation;
    int level;
  };
  std::array<Step, 2> steps;
};

const std::array<SubPolicy, 25>& Cifar10Policy();

// What the policy does to one image.
struct PolicyDraw {
  struct Step {
    bool applied;
    bool negative;  // the sign of an operation that has one
  };
  int sub_policy;  // index into Cifar10Policy()
  std::array<Step, 2> steps;
};

// Draws each sub-policy equally often and each sign with probability 1/2. Takes
// the stream's next five elements: the sub-policy, then for each step whether
// it is applied and its sign.
PolicyDraw DrawCifar10Policy(RandomStream& stream);

// Does to `image` what was drawn, in place. `scratch` holds as many bytes and
// does not overlap; what is in it afterwards means nothing. Allocates nothing;
// may run in several threads, each with its own scratch.
void ApplyCifar10Policy(const ImageShape& shape, const PolicyDraw& draw,
                        uint8_t* image, uint8_t* scratch);

}  // namespace fairdarts

#endif  // TRAINING_AUTO_AUGMENT_POLICY_H_
