#include "training/metrics.h"

#include <cmath>

#include "gtest/gtest.h"

namespace fairdarts {
namespace {

TEST(MetricsTest, AHeaderAndARowAnEpoch) {
  EXPECT_EQ(
      MetricsHeader(),
      "epoch,learning_rate,train_loss,train_cross_entropy,"
      "train_zero_one,train_cost,train_top1,alpha_loss,alpha_cross_entropy,"
      "alpha_zero_one,grad_norm,valid_loss,valid_top1,normal_skips,"
      "reduce_skips,past_threshold,decided,undecided,normal_spread,"
      "reduce_spread,expected_macs,expected_parameters,eigenvalue,"
      "noise_scale\n");

  EpochMetrics metrics;
  metrics.learning_rate = 0.05;
  metrics.train_loss = -0.25;
  metrics.train_top1 = 2.0 / 3;
  metrics.undecided = 196;
  EXPECT_EQ(MetricsRow(metrics),
            "0,0.05,-0.25,0,0,0,0.6666667,,,,0,,,0,0,0,0,196,0,0,0,0,,0\n");
  metrics.epoch = 1;
  metrics.alpha_loss = 0.5;
  metrics.alpha_cross_entropy = 0;
  metrics.alpha_zero_one = -0.25;
  metrics.grad_norm = std::nan("");
  metrics.valid_loss = 0.75;
  metrics.valid_top1 = 0.5;
  metrics.train_cost = 0.125;
  metrics.normal_spread = 0.5;
  metrics.reduce_spread = 0.25;
  metrics.expected_macs = 0.75;
  metrics.expected_parameters = 1;
  metrics.eigenvalue = -2;
  metrics.noise_scale = 0.5;
  EXPECT_EQ(
      MetricsRow(metrics),
      "1,0.05,-0.25,0,0,0.125,0.6666667,0.5,0,-0.25,nan,0.75,0.5,0,0,0,0,196,"
      "0.5,0.25,0.75,1,-2,0.5\n");
}

}  // namespace
}  // namespace fairdarts
