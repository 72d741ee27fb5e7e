#include "tests/host_reads.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

namespace fairdarts {
namespace {

TEST(HostReadsTest, CountsWhatTheHostIsGiven) {
  const at::Tensor x = at::arange(4, at::kFloat);
  const HostReads reads;
  EXPECT_EQ(reads.count(), 0);
  const at::Tensor y = (x * 2 + x.sum()).clamp_max(3);
  EXPECT_EQ(reads.count(), 0);
  EXPECT_EQ(y[0].item<float>(), 3);
  EXPECT_EQ(reads.count(), 1);
  at::nonzero(x);
  EXPECT_EQ(reads.count(), 2);
}

// A backward that looks at a value.
class Looking : public torch::autograd::Function<Looking> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext*,
                            const at::Tensor& x) {
    return x * 1;
  }
  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext*,
      torch::autograd::variable_list gradients) {
    gradients[0].sum().item<float>();
    return gradients;
  }
};

TEST(HostReadsTest, SeesTheBackward) {
  const at::Tensor x = at::ones({3}).requires_grad_();
  const at::Tensor sum = Looking::apply(x).sum();
  const HostReads reads;
  sum.backward();
  EXPECT_EQ(reads.count(), 1);
}

}  // namespace
}  // namespace fairdarts
