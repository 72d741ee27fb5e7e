#include "fairdarts/collapse.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"

namespace fairdarts {
namespace {

// m(last) of the header, where all its epochs have a value.
absl::optional<double> MeanEigenvalue(const std::vector<EpochSigns>& epochs,
                                      int last) {
  if (last + 1 < kEigenvalueWindow) return absl::nullopt;
  double sum = 0;
  for (int i = last; i > last - kEigenvalueWindow; --i) {
    if (!epochs[i].eigenvalue.has_value()) return absl::nullopt;
    sum += *epochs[i].eigenvalue;
  }
  return sum / kEigenvalueWindow;
}

struct Rise {
  double from;
  double to;
};

// The rise that ends at epoch `last`, where it is one.
absl::optional<Rise> EigenvalueRise(const std::vector<EpochSigns>& epochs,
                                    int last) {
  const absl::optional<double> to = MeanEigenvalue(epochs, last);
  const absl::optional<double> from =
      MeanEigenvalue(epochs, last - kEigenvalueWindow);
  if (!to.has_value() || !from.has_value() || *from <= 0 ||
      *to <= kEigenvalueRise * *from) {
    return absl::nullopt;
  }
  return Rise{*from, *to};
}

}  // namespace

absl::optional<int> SkipStop(const std::vector<EpochSigns>& epochs) {
  if (epochs.empty() || epochs.back().normal_skips < kCollapsedSkips) {
    return absl::nullopt;
  }
  const int last = static_cast<int>(epochs.size()) - 1;
  return std::max(last - 1, 0);
}

absl::optional<int> EigenvalueStop(const std::vector<EpochSigns>& epochs) {
  const int last = static_cast<int>(epochs.size()) - 1;
  if (!EigenvalueRise(epochs, last).has_value()) return absl::nullopt;
  return last - kEigenvalueWindow;
}

std::vector<std::string> CollapseWarnings(
    const std::vector<EpochSigns>& epochs) {
  std::vector<std::string> warnings;
  if (epochs.empty()) return warnings;
  const int last = static_cast<int>(epochs.size()) - 1;
  const int skips = epochs[last].normal_skips;
  if (skips >= kCollapsedSkips &&
      (last == 0 || epochs[last - 1].normal_skips < kCollapsedSkips)) {
    warnings.push_back(absl::StrFormat(
        "warning: skip collapse: the normal cell of the genotype has %d skip "
        "connections",
        skips));
  }
  const absl::optional<Rise> rise = EigenvalueRise(epochs, last);
  if (rise.has_value() && !EigenvalueRise(epochs, last - 1).has_value()) {
    warnings.push_back(absl::StrFormat(
        "warning: eigenvalue rise: the largest eigenvalue of the loss's "
        "Hessian in the alphas was %.4g over %d epochs and is %.4g over the "
        "last %d",
        rise->from, kEigenvalueWindow, rise->to, kEigenvalueWindow));
  }
  return warnings;
}

double WeightSpread(const EdgeMatrix& weights) {
  if (weights.values.empty()) return 0;
  double sum = 0;
  for (const float value : weights.values) sum += value;
  const double mean = sum / weights.values.size();
  double square = 0;
  for (const float value : weights.values) {
    square += (value - mean) * (value - mean);
  }
  return std::sqrt(square / weights.values.size());
}

}  // namespace fairdarts
