#include "ops/drop_path.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>
#include <cstdint>

namespace fairdarts {
namespace {

constexpr double kDrop = 0.2;
constexpr float kScale = 1 / (1 - 0.2);

TEST(DropPathTest, DropsWholeImagesAndScalesTheOthers) {
  constexpr int64_t kImages = 20000;
  RandomStream stream("drop", {1});
  const at::Tensor x = at::rand({kImages, 2, 1, 3}) + 1;
  const at::Tensor before = x.clone();
  const at::Tensor y = DropPath(x, kDrop, /*training=*/true, stream);
  EXPECT_TRUE(x.equal(before));
  EXPECT_EQ(stream.position(), static_cast<uint64_t>(kImages));
  const at::Tensor factor = y / x;
  const at::Tensor first = factor.slice(1, 0, 1).slice(3, 0, 1);
  // A quotient of a float32 product is off by at most an epsilon.
  EXPECT_LT((factor - first).abs().max().item<double>(), 3e-7);
  EXPECT_TRUE(at::logical_or(first == 0, (first - kScale).abs() < 3e-7)
                  .all()
                  .item<bool>());
  // The stream is fixed; 5 standard deviations of the count of kept images.
  const double kept = (first != 0).sum().item<double>();
  EXPECT_LT(std::abs(kept - kImages * (1 - kDrop)),
            5 * std::sqrt(kImages * kDrop * (1 - kDrop)));
}

TEST(DropPathTest, DependsOnTheStreamAlone) {
  const at::Tensor x = at::ones({64, 1});
  RandomStream a("drop", {1});
  RandomStream b("drop", {1});
  RandomStream c("drop", {2});
  const at::Tensor y = DropPath(x, 0.5, true, a);
  EXPECT_TRUE(y.equal(DropPath(x, 0.5, true, b)));
  EXPECT_FALSE(y.equal(DropPath(x, 0.5, true, a)));
  EXPECT_FALSE(y.equal(DropPath(x, 0.5, true, c)));
}

TEST(DropPathTest, IsTheIdentityOutsideTrainingAndAtProbabilityZero) {
  RandomStream stream("drop", {1});
  const at::Tensor x = at::rand({4, 2});
  EXPECT_TRUE(DropPath(x, 0.9, /*training=*/false, stream).is_same(x));
  EXPECT_TRUE(DropPath(x, 0, /*training=*/true, stream).is_same(x));
  EXPECT_EQ(stream.position(), 0u);
}

TEST(DropPathTest, GradientIsScaledAsTheOutput) {
  RandomStream stream("drop", {1});
  const at::Tensor x = at::ones({32, 2}).set_requires_grad(true);
  const at::Tensor y = DropPath(x, 0.5, true, stream);
  y.sum().backward();
  EXPECT_TRUE(x.grad().equal(y.detach()));
}

TEST(DropPathDeathTest, ProbabilityOneIsABug) {
  RandomStream stream("drop", {1});
  EXPECT_DEATH(DropPath(at::ones({1}), 1, true, stream), "drop_probability");
}

}  // namespace
}  // namespace fairdarts
