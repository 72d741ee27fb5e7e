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
    batch = {GoldenImagesTensor("x", {4, 3, 4, 4}, 3).to(dtype),
             GoldenLabelsTensor("y", 4, config.classes, 3)};
    supernet->train();
    const torch::NoGradGuard no_grad;
    for (int i = 0; i < 5; ++i) {
      supernet->Forward(batch.images, Relax(alphas, Relaxation::kSigmoid));
    }
  }
  std::shared_ptr<Supernet> supernet;
  Alphas alphas;
  Batch batch;
};

torch::Tensor Gradient(Case& c, Relaxation relaxation) {
  const torch::Tensor loss = torch::nn::functional::cross_entropy(
      c.supernet->Forward(c.batch.images, Relax(c.alphas, relaxation)),
      c.batch.labels);
  const auto parts =
      torch::autograd::grad({loss}, {c.alphas.normal, c.alphas.reduce});
  return torch::cat({parts[0].flatten(), parts[1].flatten()});
}

// Row `i` of the Hessian from differences of the gradient.
torch::Tensor DifferenceRow(Case& c, Relaxation relaxation, int64_t i) {
  constexpr double kStep = 1e-5;
  const torch::Tensor& matrix = i < 98 ? c.alphas.normal : c.alphas.reduce;
  const torch::Tensor flat = matrix.detach().view({-1});  // shares memory
  const double value = flat[i % 98].item<double>();
  flat[i % 98] = value + kStep;
  const torch::Tensor above = Gradient(c, relaxation);
  flat[i % 98] = value - kStep;
  const torch::Tensor below = Gradient(c, relaxation);
  flat[i % 98] = value;
  return (above - below) / (2 * kStep);
}

TEST(AlphaHessianTest, AgreesWithTheFullHessian) {
  const Relaxation relaxation = Relaxation::kSoftmax;
  Case c(SupernetEngine::kPlain, torch::kDouble);
  AlphaHessian hessian(*c.supernet, c.alphas, relaxation, c.batch);
  ASSERT_EQ(hessian.size(), 2 * 14 * 7);
  std::vector<torch::Tensor> rows;
  for (int i = 0; i < hessian.size(); ++i) {
    Vector unit(hessian.size());
    unit[i] = 1;
    rows.push_back(torch::tensor(hessian.Times(unit), torch::kDouble));
  }
  const torch::Tensor full = torch::stack(rows);
  const double largest_entry = full.abs().max().item<double>();
  ASSERT_GT(largest_entry, 1e-3);
  EXPECT_LT((full - full.t()).abs().max().item<double>(),
            1e-12 * largest_entry);
  // Differences err by h^2 = 1e-10 of third derivatives and by 1e-15 / h.
  for (const int i : {0, 5, 60, 97, 98, 195}) {
    EXPECT_LT(
        (full[i] - DifferenceRow(c, relaxation, i)).abs().max().item<double>(),
        1e-6 * largest_entry)
        << i;
  }

  PowerIterationOptions options;
  options.tolerance = 1e-5;
  options.max_products = 300;
  const auto found = LargestAlphaEigenvalue(*c.supernet, c.alphas, relaxation,
                                            c.batch, options);
  ASSERT_THAT(found, IsOk());
  EXPECT_TRUE(found->converged);
  const double expected =
      std::get<0>(torch::linalg_eigh(full)).max().item<double>();
  // It stops where it moves by less than 1e-5 of itself: a part e of another
  // eigenvector costs e^2.
  EXPECT_NEAR(found->value, expected, 1e-3 * std::abs(expected));
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
