#include "training/metrics.h"

#include "training/csv_columns.h"

namespace fairdarts {
namespace {

// Visits every column with its name (csv_columns.h).
template <typename Visit>
void ForEachColumn(const EpochMetrics& m, const Visit& visit) {
  visit("epoch", m.epoch);
  visit("learning_rate", m.learning_rate);
  visit("train_loss", m.train_loss);
  visit("train_cross_entropy", m.train_cross_entropy);
  visit("train_zero_one", m.train_zero_one);
  visit("train_cost", m.train_cost);
  visit("train_top1", m.train_top1);
  visit("alpha_loss", m.alpha_loss);
  visit("alpha_cross_entropy", m.alpha_cross_entropy);
  visit("alpha_zero_one", m.alpha_zero_one);
  visit("grad_norm", m.grad_norm);
  visit("valid_loss", m.valid_loss);
  visit("valid_top1", m.valid_top1);
  visit("normal_skips", m.normal_skips);
  visit("reduce_skips", m.reduce_skips);
  visit("past_threshold", m.past_threshold);
  visit("decided", m.decided);
  visit("undecided", m.undecided);
  visit("normal_spread", m.normal_spread);
  visit("reduce_spread", m.reduce_spread);
  visit("expected_macs", m.expected_macs);
  visit("expected_parameters", m.expected_parameters);
  visit("eigenvalue", m.eigenvalue);
  visit("noise_scale", m.noise_scale);
}

}  // namespace

std::string MetricsHeader() {
  return CsvHeader(
      [](const auto& visit) { ForEachColumn(EpochMetrics(), visit); });
}

std::string MetricsRow(const EpochMetrics& metrics) {
  return CsvRow([&](const auto& visit) { ForEachColumn(metrics, visit); });
}

}  // namespace fairdarts
