#include "search_space/engine/batch_norm.h"

#include <algorithm>
#include <cmath>

#include "ops/kernels/lanes.h"

namespace fairdarts {
namespace {

// torch's defaults.
constexpr double kEpsilon = 1e-5;
constexpr double kMomentum = 0.1;

float Move(float running, double batch) {
  return static_cast<float>((1 - kMomentum) * running + kMomentum * batch);
}

}  // namespace

void AddLanes(const float* lanes, int rows, double* sums) {
  for (int row = 0; row < rows; ++row) {
    double sum = 0;
    for (int i = 0; i < kLanes; ++i) sum += lanes[row * kLanes + i];
    sums[row] += sum;
  }
}

LaneBatchNorm::LaneBatchNorm(int channels)
    : channels_(channels),
      mean_(channels),
      inverse_(channels),
      factors_(channels),
      terms_(channels),
      gradient_factors_(2 * channels),
      gradient_terms_(channels) {}

void LaneBatchNorm::Resize(int blocks) {
  blocks_.resize(2 * channels_ * blocks);
}

void LaneBatchNorm::FinishForward(int blocks, int64_t count) {
  const double n = static_cast<double>(count);
  for (int c = 0; c < channels_; ++c) {
    double sum = 0;
    double squares = 0;
    for (int b = 0; b < blocks; ++b) {
      sum += block_sums(b)[c];
      squares += block_sums(b)[channels_ + c];
    }
    const double mean = sum / n;
    // The maximum would turn a NaN into 0 the other way round.
    const double variance = std::max(squares / n - mean * mean, 0.0);
    SetStatistics(c, mean, variance);
    for (float* const running : running_) {
      running[c] = Move(running[c], mean);
      running[channels_ + c] =
          Move(running[channels_ + c], variance * n / (n - 1));
    }
  }
}

void LaneBatchNorm::UseRunning(size_t index) {
  for (int c = 0; c < channels_; ++c) {
    SetStatistics(c, running_[index][c], running_[index][channels_ + c]);
  }
}

void LaneBatchNorm::SetStatistics(int channel, double mean, double variance) {
  mean_[channel] = mean;
  inverse_[channel] = 1 / std::sqrt(variance + kEpsilon);
  factors_[channel] = static_cast<float>(inverse_[channel]);
  terms_[channel] = static_cast<float>(-mean * inverse_[channel]);
}

void LaneBatchNorm::SetAffine(const float* weight, const float* bias) {
  for (int c = 0; c < channels_; ++c) {
    factors_[c] = static_cast<float>(weight[c] * inverse_[c]);
    terms_[c] =
        static_cast<float>(bias[c] - weight[c] * mean_[c] * inverse_[c]);
  }
}

double LaneBatchNorm::FinishBackward(const double* sums, const double* dots,
                                     int64_t count, double weight) {
  BeginBackward();
  return AddBackward(sums, dots, count, weight);
}

void LaneBatchNorm::FinishBackwardNormalized(const double* sums,
                                             const double* dots,
                                             int64_t count) {
  const double n = static_cast<double>(count);
  for (int c = 0; c < channels_; ++c) {
    const double r = inverse_[c];
    gradient_factors_[c] = static_cast<float>(r);
    gradient_factors_[channels_ + c] = static_cast<float>(-r * dots[c] / n);
    gradient_terms_[c] = static_cast<float>(-r * sums[c] / n);
  }
}

void LaneBatchNorm::FinishAffineBackward(const double* sums, const double* dots,
                                         int64_t count, const float* weight,
                                         float* d_weight, float* d_bias) {
  const double n = static_cast<double>(count);
  for (int c = 0; c < channels_; ++c) {
    const double r = inverse_[c];
    const double g_yhat = r * (dots[c] - mean_[c] * sums[c]);
    d_weight[c] = static_cast<float>(g_yhat);
    d_bias[c] = static_cast<float>(sums[c]);
    const double slope = weight[c] * r * r * g_yhat / n;
    gradient_factors_[c] = static_cast<float>(weight[c] * r);
    gradient_factors_[channels_ + c] = static_cast<float>(-slope);
    gradient_terms_[c] =
        static_cast<float>(slope * mean_[c] - weight[c] * r * sums[c] / n);
  }
}

void LaneBatchNorm::BeginBackward() {
  std::fill(gradient_factors_.begin(), gradient_factors_.end(), 0.0f);
  std::fill(gradient_terms_.begin(), gradient_terms_.end(), 0.0f);
}

double LaneBatchNorm::AddBackward(const double* sums, const double* dots,
                                  int64_t count, double weight) {
  const double n = static_cast<double>(count);
  double total = 0;
  for (int c = 0; c < channels_; ++c) {
    const double r = inverse_[c];
    const double g_yhat = r * (dots[c] - mean_[c] * sums[c]);
    total += g_yhat;
    const double slope = weight * r * r * g_yhat / n;
    gradient_factors_[c] += static_cast<float>(weight * r);
    gradient_factors_[channels_ + c] -= static_cast<float>(slope);
    gradient_terms_[c] +=
        static_cast<float>(slope * mean_[c] - weight * r * sums[c] / n);
  }
  return total;
}

}  // namespace fairdarts
