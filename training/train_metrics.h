#ifndef TRAINING_TRAIN_METRICS_H_
#define TRAINING_TRAIN_METRICS_H_

// The rows of a training's metrics.csv.

#include <string>

#include "absl/types/optional.h"
#include "training/timing.h"

namespace fairdarts {

// Means over the steps of an epoch unless said otherwise; accuracies are
// fractions in [0, 1].
struct TrainEpochMetrics {
  int epoch = 0;  // from 0
  double learning_rate = 0;
  double drop_path = 0;   // the probability to drop a path
  double train_loss = 0;  // with auxiliary loss and smoothed labels
  double train_top1 = 0;  // with augmentation, while the weights move
  double grad_norm = 0;   // before it is clipped
  // At the end of the epoch on what is held out, without augmentation.
  absl::optional<double> valid_loss;
  absl::optional<double> valid_top1;
};

// Same run, same bytes: what the clock says stands in timing.csv.
std::string TrainMetricsHeader();
std::string TrainMetricsRow(const TrainEpochMetrics& metrics);

}  // namespace fairdarts

#endif  // TRAINING_TRAIN_METRICS_H_
