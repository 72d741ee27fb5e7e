#include "fairdarts/zero_one_loss.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "fairdarts/relaxation.h"

namespace fairdarts {
namespace {

class EmptySupernet : public Supernet {
 public:
  explicit EmptySupernet(torch::Dtype dtype) {
    register_parameter("w", torch::zeros({1}, dtype));
  }
  torch::Tensor Forward(const torch::Tensor& images,
                        const EdgeWeights&) override {
    return images;
  }
  int64_t edges() const override { return 14; }
  int64_t candidates() const override { return 7; }
};

// Alphas that cover the sigmoid's range, none of them 0.
Alphas SomeAlphas() {
  const auto leaf = [](double from, double to, int64_t rows) {
    return torch::linspace(from, to, rows * 7, torch::kDouble)
        .reshape({rows, 7})
        .requires_grad_(true);
  };
  return {leaf(-6.1, 5, 14), leaf(3, -2.9, 14)};
}

double Loss(const Alphas& alphas, ZeroOneForm form) {
  return ZeroOneLoss(Relax(alphas, Relaxation::kSigmoid), form).item<double>();
}

TEST(RelaxationTest, StartsAtOneHalfOnTheTypeOfTheNetwork) {
  for (const torch::Dtype dtype : {torch::kFloat, torch::kDouble}) {
    const Alphas alphas = ZeroAlphas(EmptySupernet(dtype));
    for (const torch::Tensor& alpha : {alphas.normal, alphas.reduce}) {
      EXPECT_EQ(alpha.sizes(), (std::vector<int64_t>{14, 7}));
      EXPECT_EQ(alpha.dtype(), dtype);
      EXPECT_TRUE(alpha.is_leaf() && alpha.requires_grad());
    }
    EXPECT_FALSE(alphas.normal.is_same(alphas.reduce));
    const EdgeWeights weights = Relax(alphas, Relaxation::kSigmoid);
    EXPECT_TRUE(weights.normal.eq(0.5).all().item<bool>());
    EXPECT_TRUE(weights.reduce.eq(0.5).all().item<bool>());
  }
}

TEST(RelaxationTest, IsTheSigmoidOfEachAlphaAlone) {
  const Alphas alphas = SomeAlphas();
  const EdgeMatrix alpha = ToEdgeMatrix(alphas.reduce);
  const EdgeMatrix weight =
      ToEdgeMatrix(Relax(alphas, Relaxation::kSigmoid).reduce);
  ASSERT_EQ(weight.rows, 14);
  ASSERT_EQ(weight.cols, 7);
  for (int row = 0; row < 14; ++row) {
    for (int col = 0; col < 7; ++col) {
      EXPECT_FLOAT_EQ(weight.At(row, col),
                      1 / (1 + std::exp(-alpha.At(row, col))));
    }
  }
}

TEST(RelaxationTest, AMatrixIsRowMajorWhateverTheStrides) {
  const torch::Tensor transposed = torch::arange(6).reshape({2, 3}).t();
  const EdgeMatrix matrix = ToEdgeMatrix(transposed);
  EXPECT_EQ(matrix.rows, 3);
  EXPECT_EQ(matrix.cols, 2);
  EXPECT_EQ(matrix.values, (std::vector<float>{0, 3, 1, 4, 2, 5}));
}

TEST(ZeroOneLossTest, ClosedForm) {
  // sigmoid(log 3) = 3/4 and sigmoid(-log 3) = 1/4, so the distances are 0,
  // 1/4 and, for an alpha of 40, 1/2: 2 + 6 + 4 of 12 weights.
  const double third = std::log(3.0);
  const Alphas alphas{
      torch::tensor({{0.0, 0.0, third}, {-third, 40.0, 40.0}}, torch::kDouble),
      torch::tensor({{third, third, -third}, {-third, -40.0, 40.0}},
                    torch::kDouble)};
  EXPECT_NEAR(Loss(alphas, ZeroOneForm::kL2), -(6 * 0.0625 + 4 * 0.25) / 12,
              1e-15);
  EXPECT_NEAR(Loss(alphas, ZeroOneForm::kL1), -(6 * 0.25 + 4 * 0.5) / 12,
              1e-15);
}

TEST(ZeroOneLossTest, IsNothingWhenUndecidedAndLowestWhenDecided) {
  const Alphas zero{torch::zeros({14, 7}), torch::zeros({14, 7})};
  EXPECT_EQ(Loss(zero, ZeroOneForm::kL2), 0);
  EXPECT_EQ(Loss(zero, ZeroOneForm::kL1), 0);
  const Alphas decided{torch::full({14, 7}, 100.0),
                       torch::full({14, 7}, -100.0)};
  EXPECT_FLOAT_EQ(Loss(decided, ZeroOneForm::kL2), -0.25);
  EXPECT_FLOAT_EQ(Loss(decided, ZeroOneForm::kL1), -0.5);
}

TEST(ZeroOneLossTest, TheGradientIsThatOfTheEquationAndOfDifferences) {
  // Central differences in double: truncation h^2/6 times a third derivative
  // below 1/196, rounding 1e-16 / h; both under 1e-10 at h = 1e-5.
  constexpr double kStep = 1e-5;
  constexpr double kDifferences = 1e-10;
  constexpr double kRounding = 1e-15;
  for (const ZeroOneForm form : {ZeroOneForm::kL2, ZeroOneForm::kL1}) {
    const Alphas alphas = SomeAlphas();
    ZeroOneLoss(Relax(alphas, Relaxation::kSigmoid), form).backward();
    const int64_t count = alphas.normal.numel() + alphas.reduce.numel();
    for (const torch::Tensor& alpha : {alphas.normal, alphas.reduce}) {
      const torch::Tensor gradient = alpha.grad().flatten();
      const torch::Tensor values = alpha.detach().flatten();  // shares memory
      for (int64_t i = 0; i < values.numel(); ++i) {
        const double value = values[i].item<double>();
        const double s = 1 / (1 + std::exp(-value));
        const double outer = form == ZeroOneForm::kL2 ? 2 * (s - 0.5)
                             : s > 0.5                ? 1
                                                      : -1;
        EXPECT_NEAR(gradient[i].item<double>(), -outer * s * (1 - s) / count,
                    kRounding);
        values[i] = value + kStep;
        const double above = Loss(alphas, form);
        values[i] = value - kStep;
        const double below = Loss(alphas, form);
        values[i] = value;
        EXPECT_NEAR(gradient[i].item<double>(), (above - below) / (2 * kStep),
                    kDifferences);
      }
    }
  }
}

TEST(ZeroOneLossTest, NeitherFormMovesAnAlphaFromZero) {
  for (const ZeroOneForm form : {ZeroOneForm::kL2, ZeroOneForm::kL1}) {
    const Alphas alphas = ZeroAlphas(EmptySupernet(torch::kFloat));
    ZeroOneLoss(Relax(alphas, Relaxation::kSigmoid), form).backward();
    EXPECT_TRUE(alphas.normal.grad().eq(0).all().item<bool>());
    EXPECT_TRUE(alphas.reduce.grad().eq(0).all().item<bool>());
  }
}

}  // namespace
}  // namespace fairdarts
