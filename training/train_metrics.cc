#include "training/train_metrics.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace fairdarts {
namespace {

// Visits every column with its name; header and row cannot come apart.
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

std::string CsvText(int value) { return absl::StrCat(value); }
std::string CsvText(double value) { return absl::StrFormat("%.7g", value); }
std::string CsvText(absl::optional<double> value) {
  return value.has_value() ? CsvText(*value) : "";
}

}  // namespace

std::string TrainMetricsHeader() {
  std::string header;
  ForEachColumn(TrainEpochMetrics(), [&](absl::string_view name, const auto&) {
    absl::StrAppend(&header, header.empty() ? "" : ",", name);
  });
  return header + "\n";
}

std::string TrainMetricsRow(const TrainEpochMetrics& metrics) {
  std::string row;
  ForEachColumn(metrics, [&](absl::string_view, const auto& value) {
    absl::StrAppend(&row, row.empty() ? "" : ",", CsvText(value));
  });
  return row + "\n";
}

}  // namespace fairdarts
