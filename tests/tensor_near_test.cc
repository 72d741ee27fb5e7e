#include "tests/tensor_near.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <string>

namespace fairdarts {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Explanation(const testing::Matcher<const at::Tensor&>& matcher,
                        const at::Tensor& value) {
  testing::StringMatchResultListener listener;
  matcher.MatchAndExplain(value, &listener);
  return listener.str();
}

TEST(TensorNearTest, BoundHasAnAbsoluteAndARelativePart) {
  const at::Tensor expected = at::tensor({0.0, 100.0});
  const at::Tensor actual = at::tensor({0.5, 100.0});
  EXPECT_THAT(actual, TensorNear(expected, {0.5, 0}));
  EXPECT_THAT(actual, Not(TensorNear(expected, {0.49, 0})));
  EXPECT_THAT(actual, TensorNear(expected, {0, 0.005}));
  EXPECT_THAT(actual, Not(TensorNear(expected, {0, 0.0049})));
  EXPECT_THAT(actual, TensorNear(expected, {0.2, 0.003}));
}

TEST(TensorNearTest, ShapesMustBeTheSame) {
  EXPECT_THAT(at::zeros({2, 3}), TensorNear(at::zeros({2, 3}), {}));
  EXPECT_THAT(at::zeros({3, 2}), Not(TensorNear(at::zeros({2, 3}), {})));
  EXPECT_THAT(at::zeros({6}), Not(TensorNear(at::zeros({2, 3}), {})));
  EXPECT_THAT(at::Tensor(), Not(TensorNear(at::zeros({2, 3}), {})));
}

TEST(TensorNearTest, NaNIsNearNothing) {
  const double nan = std::nan("");
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_THAT(at::tensor({nan}), Not(TensorNear(at::tensor({nan}), {1, 1})));
  EXPECT_THAT(at::tensor({nan}), Not(TensorNear(at::tensor({1.0}), {1, 1})));
  EXPECT_THAT(at::tensor({inf}), Not(TensorNear(at::tensor({1.0}), {1, 1})));
  EXPECT_THAT(at::tensor({inf}), TensorNear(at::tensor({inf}), {1, 0}));
  EXPECT_THAT(at::tensor({-inf}), Not(TensorNear(at::tensor({inf}), {1, 0})));
}

TEST(TensorNearTest, NamesFirstAndWorst) {
  at::Tensor actual = at::zeros({2, 2, 2}, at::kFloat);
  actual[0][1][0] = 1;
  actual[1][0][1] = 3;
  const std::string text =
      Explanation(TensorNear(at::zeros({2, 2, 2}), {0.5, 0}), actual);
  EXPECT_THAT(text, HasSubstr("2 of 8 are off"));
  EXPECT_THAT(text, HasSubstr("first [0,1,0] is 1"));
  EXPECT_THAT(text, HasSubstr("worst [1,0,1] is 3"));
}

TEST(TensorNearTest, MemoryFormatDoesNotMatter) {
  const at::Tensor x = at::rand({2, 3, 4, 5});
  EXPECT_THAT(x.contiguous(at::MemoryFormat::ChannelsLast), TensorNear(x, {}));
}

}  // namespace
}  // namespace fairdarts
