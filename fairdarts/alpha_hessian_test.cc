#include "fairdarts/alpha_hessian.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "fairdarts/base/status.h"
#include "search_space/initialization.h"
#include "search_space/s1_factory.h"
#include "tests/golden/fill_module.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

// A small network in double, after a few training forwards that give it
// running statistics.
struct Case {
  Case(SupernetEngine engine, torch::Dtype dtype) {
    S1Config config;
    config.channels = 2;
    config.layers = 3;
    config.classes = 5;
    auto created = CreateS1Supernet(config, engine, /*threads=*/1);
    EXPECT_THAT(created, IsOk());
    supernet = *std::move(created);
    InitializeParameters(*supernet, /*seed=*/4);
    if (dtype == torch::kDouble) supernet->to(dtype);
    alphas = ZeroAlphas(*supernet);
    DrawAlphas(/*deviation=*/1, /*seed=*/2, alphas);
    batch = {GoldenImagesTensor("x", {6, 3, 8, 8}, 3).to(dtype),
             GoldenLabelsTensor("y", 6, config.classes, 3)};
    supernet->train();
    const torch::NoGradGuard no_grad;
    for (int i = 0; i < 20; ++i) {
      supernet->Forward(batch.images, Relax(alphas, Relaxation::kSigmoid));
    }
  }
  std::shared_ptr<Supernet> supernet;
  Alphas alphas;
  Batch batch;
};

// d2 L / dalpha2 whole, from differences of the gradient.
torch::Tensor FullHessian(Case& c, Relaxation relaxation) {
  constexpr double kStep = 1e-5;
  c.supernet->eval();
  const auto gradient = [&] {
    const torch::Tensor loss = torch::nn::functional::cross_entropy(
        c.supernet->Forward(c.batch.images, Relax(c.alphas, relaxation)),
        c.batch.labels);
    const auto parts =
        torch::autograd::grad({loss}, {c.alphas.normal, c.alphas.reduce});
    return torch::cat({parts[0].flatten(), parts[1].flatten()});
  };
  std::vector<torch::Tensor> columns;
  for (const torch::Tensor& matrix : {c.alphas.normal, c.alphas.reduce}) {
    const torch::Tensor flat = matrix.detach().view({-1});  // shares memory
    for (int64_t i = 0; i < flat.numel(); ++i) {
      const double value = flat[i].item<double>();
      flat[i] = value + kStep;
      const torch::Tensor above = gradient();
      flat[i] = value - kStep;
      columns.push_back((above - gradient()) / (2 * kStep));
      flat[i] = value;
    }
  }
  return torch::stack(columns, 1);
}

TEST(AlphaHessianTest, AgreesWithTheFullHessian) {
  for (const Relaxation relaxation :
       {Relaxation::kSigmoid, Relaxation::kSoftmax}) {
    Case c(SupernetEngine::kPlain, torch::kDouble);
    const torch::Tensor full = FullHessian(c, relaxation);
    const double largest_entry = full.abs().max().item<double>();
    ASSERT_GT(largest_entry, 1e-3);
    // Differences err by h^2 = 1e-10 of third derivatives and by 1e-15 / h.
    const double tolerance = 1e-6 * largest_entry;
    EXPECT_LT((full - full.t()).abs().max().item<double>(), tolerance);

    AlphaHessian hessian(*c.supernet, c.alphas, relaxation, c.batch);
    ASSERT_EQ(hessian.size(), 2 * 14 * 7);
    for (const int column : {0, 5, 97, 98, 195}) {
      Vector unit(hessian.size());
      unit[column] = 1;
      const Vector product = hessian.Times(unit);
      EXPECT_LT(
          (torch::tensor(product, torch::kDouble) - full.select(1, column))
              .abs()
              .max()
              .item<double>(),
          tolerance)
          << column;
    }

    PowerIterationOptions options;
    options.tolerance = 1e-9;
    options.max_products = 2000;
    const auto found = LargestAlphaEigenvalue(*c.supernet, c.alphas, relaxation,
                                              c.batch, options);
    ASSERT_THAT(found, IsOk());
    EXPECT_TRUE(found->converged);
    const double expected =
        std::get<0>(torch::linalg_eigh((full + full.t()) / 2))
            .max()
            .item<double>();
    EXPECT_NEAR(found->value, expected, 1e-4 * std::abs(expected));
  }
}

TEST(AlphaHessianTest, TheFusedNetworkHasTheSameAndKeepsItsState) {
  Case plain(SupernetEngine::kPlain, torch::kFloat);
  Case fused(SupernetEngine::kFused, torch::kFloat);
  std::vector<torch::Tensor> before;
  for (const torch::Tensor& buffer : fused.supernet->buffers()) {
    before.push_back(buffer.clone());
  }
  PowerIterationOptions options;
  const auto of = [&](Case& c) {
    return LargestAlphaEigenvalue(*c.supernet, c.alphas, Relaxation::kSigmoid,
                                  c.batch, options);
  };
  const auto a = of(plain);
  const auto b = of(fused);
  ASSERT_THAT(a, IsOk());
  ASSERT_THAT(b, IsOk());
  // Both stop when the value moves by a thousandth.
  EXPECT_NEAR(a->value, b->value, 2e-3 * std::abs(a->value));
  EXPECT_TRUE(fused.supernet->is_training());
  const std::vector<torch::Tensor> after = fused.supernet->buffers();
  for (size_t i = 0; i < after.size(); ++i) {
    EXPECT_TRUE(after[i].equal(before[i])) << i;
  }
}

TEST(AlphaHessianTest, ErrorsAreNamedAndLeaveTheModeAlone) {
  Case c(SupernetEngine::kPlain, torch::kFloat);
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
