#include "training/train_metrics.h"

#include "training/csv_columns.h"

namespace fairdarts {
namespace {

// Visits every column with its name (csv_columns.h).
template <typename Visit>
void ForEachColumn(const TrainEpochMetrics& m, const Visit& visit) {
  visit("epoch", m.epoch);
  visit("learning_rate", m.learning_rate);
  visit("drop_path", m.drop_path);
  visit("train_loss", m.train_loss);
  visit("train_top1", m.train_top1);
  visit("grad_norm", m.grad_norm);
  visit("valid_loss", m.valid_loss);
  visit("valid_top1", m.valid_top1);
}

}  // namespace

std::string TrainMetricsHeader() {
  return CsvHeader(
      [](const auto& visit) { ForEachColumn(TrainEpochMetrics(), visit); });
}

std::string TrainMetricsRow(const TrainEpochMetrics& metrics) {
  return CsvRow([&](const auto& visit) { ForEachColumn(metrics, visit); });
}

}  // namespace fairdarts
