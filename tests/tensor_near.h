#ifndef TESTS_TENSOR_NEAR_H_
#define TESTS_TENSOR_NEAR_H_

// EXPECT_THAT(actual, TensorNear(expected, Tolerance{0, 1e-5}));

#include <ATen/core/Tensor.h>
#include <gmock/gmock.h>

namespace fairdarts {

// How far an element may be off:
//   absolute + relative_to_largest * max |expected|.
// Rounding errors scale with what was summed, not with the element that is
// left of it, so the second part is relative to the largest element.
struct Tolerance {
  double absolute = 0;
  double relative_to_largest = 0;
};

// Same shape, every element within the tolerance; compared in float64. Names
// the first and the worst element that are off. NaN is never near anything,
// and an infinity only to itself.
testing::Matcher<const at::Tensor&> TensorNear(at::Tensor expected,
                                               Tolerance tolerance);

}  // namespace fairdarts

#endif  // TESTS_TENSOR_NEAR_H_
