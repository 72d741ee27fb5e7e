#ifndef TRAINING_METRICS_H_
#define TRAINING_METRICS_H_

// The rows of a search's metrics.csv, one an epoch.

#include <string>

#include "absl/types/optional.h"

namespace fairdarts {

// Means over the steps of an epoch unless said otherwise; accuracies are
// fractions in [0, 1].
struct EpochMetrics {
  int epoch = 0;             // from 0
  double learning_rate = 0;  // of the weights
  double train_loss = 0;     // cross-entropy and weighted zero-one loss
  double train_cross_entropy = 0;
  double train_zero_one = 0;  // before its weight
  double train_cost = 0;      // of the candidates, weighted
  double train_top1 = 0;
  // The same of the alpha steps, where there are any (bi-level).
  absl::optional<double> alpha_loss;
  absl::optional<double> alpha_cross_entropy;
  absl::optional<double> alpha_zero_one;
  double grad_norm = 0;  // before it is clipped
  // On the alpha half without augmentation, where it was measured.
  absl::optional<double> valid_loss;
  absl::optional<double> valid_top1;
  // At the end of the epoch.
  // Skip connections among the two best edges of each node.
  int normal_skips = 0;
  int reduce_skips = 0;
  int past_threshold = 0;  // of all candidates of both cells
  int decided = 0;         // of the best candidates of the two best edges a
                           // node, those past the threshold
  int undecided = 0;       // candidates in (0.15, 0.85)
  // Standard deviations of the relaxed weights of a cell.
  double normal_spread = 0;
  double reduce_spread = 0;
  // What the weights expect of the cost of all candidates together, in [0, 1].
  double expected_macs = 0;
  double expected_parameters = 0;
  // The largest of the loss's Hessian in the alphas, where it was measured.
  absl::optional<double> eigenvalue;
  double noise_scale = 0;  // on skip connections, in this epoch
};

// The same run gives the same bytes: what the clock says stands in timing.csv
// (timing.h). A number that is not finite is written as it is ("nan").
std::string MetricsHeader();
std::string MetricsRow(const EpochMetrics& metrics);

}  // namespace fairdarts

#endif  // TRAINING_METRICS_H_
