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

#include "fairdarts/base/status.h"
#include "search_space/initialization.h"
#include "search_space/s1_factory.h"
#include "tests/golden/fill_module.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

// One more than a part.
constexpr int64_t kImages = AlphaHessian::kPartImages + 1;

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
    batch = {GoldenImagesTensor("x", {kImages, 3, 4, 4}, 3).to(dtype),
             GoldenLabelsTensor("y", kImages, config.classes, 3)};
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
  const torch::Tensor eigenvalues = std::get<0>(torch::linalg_eigh(full));
  const double expected = eigenvalues[-1].item<double>();
  const double runner_up = std::max(std::abs(eigenvalues[0].item<double>()),
                                    std::abs(eigenvalues[-2].item<double>()));
  ASSERT_GT(expected, runner_up);
  // The value falls short by d, of which a product leaves (l2 / l1)^2 d: while
  // it moves by t of itself, d is at most t / (1 - (l2 / l1)^2) of it.
  const double ratio = runner_up / expected;
  EXPECT_LE(found->value, expected * (1 + 1e-9));
  EXPECT_GE(found->value,
            expected * (1 - options.tolerance / (1 - ratio * ratio)));
}

TEST(AlphaHessianTest, TheFusedNetworkHasTheSameAndKeepsItsState) {
  Case plain(SupernetEngine::kPlain, torch::kFloat);
  Case fused(SupernetEngine::kFused, torch::kFloat);
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
  EXPECT_EQ(a->value, b->value);
  EXPECT_TRUE(fused.supernet->is_training());
  for (size_t i = 0; i < buffers.size(); ++i) {
    EXPECT_TRUE(buffers[i].equal(from[i])) << i;
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
