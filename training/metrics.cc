#include "training/metrics.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace fairdarts {
namespace {

// Visits every column with its name; header and row cannot come apart.
template <typename Visit>
void ForEachColumn(const EpochMetrics& m, const Visit& visit) {
  visit("epoch", m.epoch);
  visit("learning_rate", m.learning_rate);
  visit("train_loss", m.train_loss);
  visit("train_cross_entropy", m.train_cross_entropy);
  visit("train_zero_one", m.train_zero_one);
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
}

std::string CsvText(int value) { return absl::StrCat(value); }
std::string CsvText(double value) { return absl::StrFormat("%.7g", value); }
std::string CsvText(absl::optional<double> value) {
  return value.has_value() ? CsvText(*value) : "";
}

}  // namespace

std::string MetricsHeader() {
  std::string header;
  ForEachColumn(EpochMetrics(), [&](absl::string_view name, const auto&) {
    absl::StrAppend(&header, header.empty() ? "" : ",", name);
  });
  return header + "\n";
}

std::string MetricsRow(const EpochMetrics& metrics) {
  std::string row;
  ForEachColumn(metrics, [&](absl::string_view, const auto& value) {
    absl::StrAppend(&row, row.empty() ? "" : ",", CsvText(value));
  });
  return row + "\n";
}

}  // namespace fairdarts
