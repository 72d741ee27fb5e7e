// Gradients against finite differences of batch norm in double.

#include "search_space/engine/batch_norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "fairdarts/base/random.h"

namespace fairdarts {
namespace {

constexpr int kChannels = 2;
constexpr int kValues = 12;  // a channel
constexpr int kBlocks = 3;
constexpr double kEpsilon = 1e-5;

// [kChannels][kValues], not centred.
std::vector<double> Values(const char* name) {
  std::vector<double> values(kChannels * kValues);
  RandomStream stream(name, {});
  for (double& v : values) v = 3 * stream.Uniform() - 1;
  return values;
}

double Mean(const double* y) {
  double sum = 0;
  for (int i = 0; i < kValues; ++i) sum += y[i];
  return sum / kValues;
}

double Variance(const double* y) {
  double sum = 0;
  for (int i = 0; i < kValues; ++i) sum += std::pow(y[i] - Mean(y), 2);
  return sum / kValues;
}

std::vector<double> Normalized(const std::vector<double>& y) {
  std::vector<double> yhat(y.size());
  for (int c = 0; c < kChannels; ++c) {
    const double* const channel = &y[c * kValues];
    for (int i = 0; i < kValues; ++i) {
      yhat[c * kValues + i] = (channel[i] - Mean(channel)) /
                              std::sqrt(Variance(channel) + kEpsilon);
    }
  }
  return yhat;
}

// The sum over everything of g * (weight[c] * yhat + bias[c]).
double Loss(const std::vector<double>& y, const std::vector<double>& g,
            const std::vector<double>& weight,
            const std::vector<double>& bias) {
  const std::vector<double> yhat = Normalized(y);
  double loss = 0;
  for (int i = 0; i < kChannels * kValues; ++i) {
    loss += g[i] * (weight[i / kValues] * yhat[i] + bias[i / kValues]);
  }
  return loss;
}

// Derivatives of `loss` of `at`, whose error is of the order of the step's
// square.
std::vector<double> Differences(
    std::vector<double> at,
    const std::function<double(const std::vector<double>&)>& loss) {
  constexpr double kStep = 1e-5;
  std::vector<double> derivatives;
  for (double& value : at) {
    const double middle = value;
    value = middle + kStep;
    const double above = loss(at);
    value = middle - kStep;
    const double below = loss(at);
    value = middle;
    derivatives.push_back((above - below) / (2 * kStep));
  }
  return derivatives;
}

// Factors and terms are float, and multiply numbers of at most 4.
constexpr double kTolerance = 4 * 3 * 0x1p-23;

struct Sums {
  std::vector<double> g;
  std::vector<double> g_y;
};

Sums SumsOf(const std::vector<double>& g, const std::vector<double>& y) {
  Sums sums{std::vector<double>(kChannels), std::vector<double>(kChannels)};
  for (int i = 0; i < kChannels * kValues; ++i) {
    sums.g[i / kValues] += g[i];
    sums.g_y[i / kValues] += g[i] * y[i];
  }
  return sums;
}

class BatchNormTest : public testing::Test {
 protected:
  BatchNormTest() : norm_(kChannels) {
    norm_.Resize(kBlocks);
    for (int i = 0; i < kChannels * kValues; ++i) {
      double* const sums = norm_.block_sums(i % kBlocks);
      sums[i / kValues] += y_[i];
      sums[kChannels + i / kValues] += y_[i] * y_[i];
    }
  }

  // dy = A * g + B * of + D.
  void ExpectGradient(const std::vector<double>& g,
                      const std::vector<double>& of,
                      const std::vector<double>& expected) {
    for (int i = 0; i < kChannels * kValues; ++i) {
      const int c = i / kValues;
      EXPECT_NEAR(norm_.gradient_factors()[c] * g[i] +
                      norm_.gradient_factors()[kChannels + c] * of[i] +
                      norm_.gradient_terms()[c],
                  expected[i], kTolerance)
          << i;
    }
  }

  const std::vector<double> y_ = Values("y");
  const std::vector<double> g_ = Values("g");
  const std::vector<double> ones_ = {1, 1};
  const std::vector<double> zeros_ = {0, 0};
  LaneBatchNorm norm_;
};

TEST_F(BatchNormTest, NormalizesAndMovesTheRunningStatistics) {
  std::vector<std::vector<float>> running = {{1, 2, 3, 4}, {5, 6, 7, 8}};
  const std::vector<std::vector<float>> before = running;
  for (std::vector<float>& statistics : running) {
    norm_.AddRunning(statistics.data());
  }
  norm_.FinishForward(kBlocks, kValues);
  const std::vector<double> expected = Normalized(y_);
  for (int i = 0; i < kChannels * kValues; ++i) {
    EXPECT_NEAR(
        norm_.factors()[i / kValues] * y_[i] + norm_.terms()[i / kValues],
        expected[i], kTolerance);
  }
  for (size_t n = 0; n < running.size(); ++n) {
    for (int c = 0; c < kChannels; ++c) {
      const double* const channel = &y_[c * kValues];
      EXPECT_NEAR(running[n][c], 0.9 * before[n][c] + 0.1 * Mean(channel),
                  kTolerance);
      EXPECT_NEAR(running[n][kChannels + c],
                  0.9 * before[n][kChannels + c] +
                      0.1 * Variance(channel) * kValues / (kValues - 1),
                  kTolerance);
    }
  }
  norm_.UseRunning(1);
  for (int c = 0; c < kChannels; ++c) {
    const double factor = 1 / std::sqrt(running[1][kChannels + c] + kEpsilon);
    EXPECT_NEAR(norm_.factors()[c], factor, kTolerance);
    EXPECT_NEAR(norm_.terms()[c], -factor * running[1][c], kTolerance);
  }
}

TEST_F(BatchNormTest, GradientsOfAScaledOutput) {
  constexpr double kWeight = 0.7;
  norm_.FinishForward(kBlocks, kValues);
  const Sums sums = SumsOf(g_, y_);
  const double d_weight =
      norm_.FinishBackward(sums.g.data(), sums.g_y.data(), kValues, kWeight);
  ExpectGradient(g_, y_, Differences(y_, [&](const std::vector<double>& y) {
                   return Loss(y, g_, {kWeight, kWeight}, zeros_);
                 }));
  EXPECT_NEAR(d_weight,
              Differences({kWeight},
                          [&](const std::vector<double>& weight) {
                            return Loss(y_, g_, {weight[0], weight[0]}, zeros_);
                          })[0],
              1e-8);

  const std::vector<double> yhat = Normalized(y_);
  const Sums normalized = SumsOf(g_, yhat);
  norm_.FinishBackwardNormalized(normalized.g.data(), normalized.g_y.data(),
                                 kValues);
  ExpectGradient(g_, yhat, Differences(y_, [&](const std::vector<double>& y) {
                   return Loss(y, g_, ones_, zeros_);
                 }));
}

TEST_F(BatchNormTest, GradientsBehindAnAffineOutput) {
  const std::vector<float> weight = {0.75f, -1.5f};
  const std::vector<float> bias = {0.25f, 0.5f};
  const std::vector<double> w(weight.begin(), weight.end());
  const std::vector<double> b(bias.begin(), bias.end());
  norm_.FinishForward(kBlocks, kValues);
  norm_.SetAffine(weight.data(), bias.data());
  const std::vector<double> yhat = Normalized(y_);
  for (int i = 0; i < kChannels * kValues; ++i) {
    const int c = i / kValues;
    EXPECT_NEAR(norm_.factors()[c] * y_[i] + norm_.terms()[c],
                w[c] * yhat[i] + b[c], kTolerance);
  }
  const Sums sums = SumsOf(g_, y_);
  std::vector<float> d_weight(kChannels);
  std::vector<float> d_bias(kChannels);
  norm_.FinishAffineBackward(sums.g.data(), sums.g_y.data(), kValues,
                             weight.data(), d_weight.data(), d_bias.data());
  ExpectGradient(g_, y_, Differences(y_, [&](const std::vector<double>& y) {
                   return Loss(y, g_, w, b);
                 }));
  const std::vector<double> expected_weight =
      Differences(w, [&](const std::vector<double>& weights) {
        return Loss(y_, g_, weights, b);
      });
  const std::vector<double> expected_bias =
      Differences(b, [&](const std::vector<double>& biases) {
        return Loss(y_, g_, w, biases);
      });
  // Rounded to float, up to 16.
  for (int c = 0; c < kChannels; ++c) {
    EXPECT_NEAR(d_weight[c], expected_weight[c], 16 * 0x1p-24);
    EXPECT_NEAR(d_bias[c], expected_bias[c], 16 * 0x1p-24);
  }
}

// Two edges scale one output: dy is that of the sum of both.
TEST_F(BatchNormTest, GradientsOfAnOutputThatTwoEdgesScale) {
  const std::vector<double> other = Values("other");
  constexpr double kWeights[] = {0.3, 0.9};
  norm_.FinishForward(kBlocks, kValues);
  norm_.BeginBackward();
  int edge = 0;
  for (const std::vector<double>* g : {&g_, &other}) {
    const Sums sums = SumsOf(*g, y_);
    norm_.AddBackward(sums.g.data(), sums.g_y.data(), kValues,
                      kWeights[edge++]);
  }
  const std::vector<double> expected =
      Differences(y_, [&](const std::vector<double>& y) {
        return Loss(y, g_, {kWeights[0], kWeights[0]}, zeros_) +
               Loss(y, other, {kWeights[1], kWeights[1]}, zeros_);
      });
  for (int i = 0; i < kChannels * kValues; ++i) {
    const int c = i / kValues;
    // Each edge's g with its own weight, y and the constant once.
    EXPECT_NEAR(
        norm_.factors()[c] * (kWeights[0] * g_[i] + kWeights[1] * other[i]) +
            norm_.gradient_factors()[kChannels + c] * y_[i] +
            norm_.gradient_terms()[c],
        expected[i], kTolerance)
        << i;
  }
}

TEST(AddLanesTest, AddsEachRow) {
  std::vector<float> lanes(32, 1);
  lanes[16] = 5;
  double sums[] = {1, 2};
  AddLanes(lanes.data(), 2, sums);
  EXPECT_EQ(sums[0], 17);
  EXPECT_EQ(sums[1], 22);
}

}  // namespace
}  // namespace fairdarts
