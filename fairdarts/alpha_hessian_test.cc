#include "fairdarts/alpha_hessian.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "fairdarts/base/random.h"
#include "fairdarts/base/status.h"
#include "search_space/initialization.h"
#include "search_space/s1_factory.h"
#include "tests/golden/fill_module.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

// One more than a part.
constexpr int64_t kImages = AlphaHessian::kPartImages + 1;

struct Case {
  Case(std::shared_ptr<Supernet> network, Batch images)
      : supernet(std::move(network)),
        alphas(ZeroAlphas(*supernet)),
        batch(std::move(images)) {
    DrawAlphas(/*deviation=*/1, /*seed=*/2, alphas);
  }
  std::shared_ptr<Supernet> supernet;
  Alphas alphas;
  Batch batch;
};

// A small one, after a few training forwards that give it running statistics.
Case SearchNetwork(SupernetEngine engine, torch::Dtype dtype) {
  S1Config config;
  config.channels = 2;
  config.layers = 3;
  config.classes = 5;
  auto created = CreateS1Supernet(config, engine, /*threads=*/1);
  EXPECT_THAT(created, IsOk());
  InitializeParameters(**created, /*seed=*/4);
  if (dtype == torch::kDouble) (*created)->to(dtype);
  Case c(*std::move(created),
         {GoldenImagesTensor("x", {kImages, 3, 4, 4}, 3).to(dtype),
          GoldenLabelsTensor("y", kImages, config.classes, 3)});
  c.supernet->train();
  const torch::NoGradGuard no_grad;
  for (int i = 0; i < 5; ++i) {
    c.supernet->Forward(c.batch.images, Relax(c.alphas, Relaxation::kSigmoid));
  }
  return c;
}

// Differences of step h = 1e-5 err by h^2 = 1e-10 of third derivatives and by
// 1e-15 / h = 1e-10 of the gradient.
constexpr double kDifferences = 1e-6;

torch::Tensor Gradient(Case& c, Relaxation relaxation) {
  const torch::Tensor loss = torch::nn::functional::cross_entropy(
      c.supernet->Forward(c.batch.images, Relax(c.alphas, relaxation)),
      c.batch.labels);
  const auto parts =
      torch::autograd::grad({loss}, {c.alphas.normal, c.alphas.reduce});
  return torch::cat({parts[0].flatten(), parts[1].flatten()});
}

// The Hessian times v from differences of the gradient.
torch::Tensor DifferenceAlong(Case& c, Relaxation relaxation, const Vector& v) {
  constexpr double kStep = 1e-5;
  const torch::NoGradGuard no_grad;
  const int64_t elements = c.alphas.normal.numel();
  const torch::Tensor along = torch::tensor(v, torch::kDouble);
  const auto move = [&](double step) {
    c.alphas.normal.add_(along.slice(0, 0, elements).view_as(c.alphas.normal),
                         step);
    c.alphas.reduce.add_(along.slice(0, elements).view_as(c.alphas.reduce),
                         step);
  };
  const auto gradient = [&] {
    const torch::AutoGradMode with_gradients(true);
    return Gradient(c, relaxation);
  };
  move(kStep);
  const torch::Tensor above = gradient();
  move(-2 * kStep);
  const torch::Tensor below = gradient();
  move(kStep);
  return (above - below) / (2 * kStep);
}

// Two smooth layers whose candidates are scaled by the weights of an edge each:
// six alphas.
class SmallSupernet : public Supernet {
 public:
  SmallSupernet() {
    for (int i = 0; i < 6; ++i) {
      w_.push_back(torch::sin(torch::arange(36, torch::kDouble) * 1.7 + i)
                       .reshape({6, 6}));
    }
    register_parameter("first", w_[0]);
  }
  torch::Tensor Forward(const torch::Tensor& images,
                        const EdgeWeights& weights) override {
    torch::Tensor x = images;
    for (const int layer : {0, 1}) {
      const torch::Tensor& edge = layer == 0 ? weights.normal : weights.reduce;
      torch::Tensor sum = torch::zeros_like(x);
      for (int i = 0; i < 3; ++i) {
        sum = sum + torch::tanh(x.matmul(w_[3 * layer + i])) * edge[0][i];
      }
      x = sum;
    }
    return 2 * x;
  }
  int64_t edges() const override { return 1; }
  int64_t candidates() const override { return 3; }

 private:
  std::vector<torch::Tensor> w_;
};

TEST(AlphaHessianTest, AgreesWithTheFullHessian) {
  for (const Relaxation relaxation :
       {Relaxation::kSigmoid, Relaxation::kSoftmax}) {
    Case c(std::make_shared<SmallSupernet>(),
           {torch::cos(torch::arange(kImages * 6, torch::kDouble) * 0.9)
                .reshape({kImages, 6}),
            torch::arange(kImages, torch::kLong).remainder(6)});
    AlphaHessian hessian(*c.supernet, c.alphas, relaxation, c.batch);
    ASSERT_EQ(hessian.size(), 6);
    std::vector<torch::Tensor> rows;
    std::vector<torch::Tensor> differences;
    for (int i = 0; i < 6; ++i) {
      Vector unit(6);
      unit[i] = 1;
      rows.push_back(torch::tensor(hessian.Times(unit), torch::kDouble));
      differences.push_back(DifferenceAlong(c, relaxation, unit));
    }
    const torch::Tensor full = torch::stack(rows);
    const double largest = full.abs().max().item<double>();
    ASSERT_GT(largest, 1e-3);
    EXPECT_LT((full - full.t()).abs().max().item<double>(), 1e-12 * largest);
    EXPECT_LT((full - torch::stack(differences)).abs().max().item<double>(),
              kDifferences * largest);

    PowerIterationOptions options;
    options.tolerance = 1e-9;
    options.max_products = 10000;
    const auto found = LargestAlphaEigenvalue(*c.supernet, c.alphas, relaxation,
                                              c.batch, options);
    ASSERT_THAT(found, IsOk());
    EXPECT_TRUE(found->converged);
    const double expected =
        std::get<0>(torch::linalg_eigh(full)).max().item<double>();
    // Where a product leaves r of the distance to it, the value is within
    // 1e-9 / (1 - r): r is below 0.999 unless eigenvalues lie within a
    // thousandth of each other.
    EXPECT_NEAR(found->value, expected, 1e-6 * std::abs(expected));
  }
}

TEST(AlphaHessianTest, AgreesWithDifferencesOnTheSearchNetwork) {
  Case c = SearchNetwork(SupernetEngine::kPlain, torch::kDouble);
  AlphaHessian hessian(*c.supernet, c.alphas, Relaxation::kSoftmax, c.batch);
  ASSERT_EQ(hessian.size(), 2 * 14 * 7);
  RandomStream stream("test/direction", {1});
  Vector v(hessian.size());
  for (double& value : v) value = stream.Normal();
  const torch::Tensor product = torch::tensor(hessian.Times(v), torch::kDouble);
  const double largest = product.abs().max().item<double>();
  EXPECT_GT(largest, 1e-3);
  EXPECT_LT((product - DifferenceAlong(c, Relaxation::kSoftmax, v))
                .abs()
                .max()
                .item<double>(),
            kDifferences * largest);
}

TEST(AlphaHessianTest, TheFusedNetworkHasTheSameAndKeepsItsState) {
  Case plain = SearchNetwork(SupernetEngine::kPlain, torch::kFloat);
  Case fused = SearchNetwork(SupernetEngine::kFused, torch::kFloat);
  // The same running statistics, but for rounding so far.
  const std::vector<torch::Tensor> from = plain.supernet->buffers();
  const std::vector<torch::Tensor> buffers = fused.supernet->buffers();
  for (size_t i = 0; i < buffers.size(); ++i) buffers[i].copy_(from[i]);
  const auto of = [&](Case& c) {
    PowerIterationOptions options;
    options.max_products = 5;
    return LargestAlphaEigenvalue(*c.supernet, c.alphas, Relaxation::kSigmoid,
                                  c.batch, options);
  };
  const auto a = of(plain);
  const auto b = of(fused);
  ASSERT_THAT(a, IsOk());
  ASSERT_THAT(b, IsOk());
  // Products of float32 err by some 1e-6 of the largest, five times.
  EXPECT_NEAR(a->value, b->value, 1e-4 * std::abs(a->value));
  EXPECT_TRUE(fused.supernet->is_training());
  for (size_t i = 0; i < buffers.size(); ++i) {
    EXPECT_TRUE(buffers[i].equal(from[i])) << i;
  }
}

TEST(AlphaHessianTest, ErrorsAreNamedAndLeaveTheModeAlone) {
  Case c = SearchNetwork(SupernetEngine::kPlain, torch::kFloat);
  c.batch.images.fill_(std::numeric_limits<float>::infinity());
  c.supernet->eval();
  EXPECT_THAT(LargestAlphaEigenvalue(*c.supernet, c.alphas,
                                     Relaxation::kSigmoid, c.batch, {}),
              ExitCodeIs(ExitCode::kNumbers));
  EXPECT_FALSE(c.supernet->is_training());
  c.batch.labels = torch::zeros({5}, torch::kLong);
  EXPECT_FALSE(LargestAlphaEigenvalue(*c.supernet, c.alphas,
                                      Relaxation::kSigmoid, c.batch, {})
                   .ok());
}

}  // namespace
}  // namespace fairdarts
