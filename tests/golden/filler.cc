#include "tests/golden/filler.h"

#include <cmath>

#include "absl/strings/match.h"
#include "fairdarts/base/random.h"

namespace fairdarts {
namespace {

RandomStream StreamOf(absl::string_view name, uint64_t seed) {
  return RandomStream(Fnv1a64(name) ^ seed);
}

// Scales and shifts each value, rounding after each step.
std::vector<float> Affine(std::vector<float> values, float scale, float shift) {
  for (float& value : values) {
    const float scaled = value * scale;
    value = scaled + shift;
  }
  return values;
}

}  // namespace

std::vector<float> GoldenUnit(absl::string_view name, int64_t n,
                              uint64_t seed) {
  const RandomStream stream = StreamOf(name, seed);
  std::vector<float> values(n);
  for (int64_t i = 0; i < n; ++i) {
    values[i] = static_cast<float>(
        static_cast<double>(stream.At(i) >> 40) * 0x1p-23 - 1);
  }
  return values;
}

std::vector<float> GoldenImages(absl::string_view name, int64_t n,
                                uint64_t seed) {
  return Affine(GoldenUnit(name, n, seed), 1.5f, 0);
}

std::vector<int64_t> GoldenLabels(absl::string_view name, int64_t n,
                                  int64_t classes, uint64_t seed) {
  const RandomStream stream = StreamOf(name, seed);
  std::vector<int64_t> labels(n);
  for (int64_t i = 0; i < n; ++i) {
    labels[i] = static_cast<int64_t>(stream.At(i) >> 40) % classes;
  }
  return labels;
}

std::vector<float> GoldenParameter(absl::string_view name,
                                   const std::vector<int64_t>& shape,
                                   bool batch_norm, uint64_t seed) {
  int64_t n = 1;
  for (const int64_t size : shape) n *= size;
  std::vector<float> unit = GoldenUnit(name, n, seed);
  if (absl::EndsWith(name, "running_mean")) return Affine(unit, 0.2f, 0);
  if (absl::EndsWith(name, "running_var")) return Affine(unit, 0.5f, 1);
  if (absl::EndsWith(name, "bias")) {
    return Affine(unit, batch_norm ? 0.2f : 0.1f, 0);
  }
  if (batch_norm) return Affine(unit, 0.5f, 1);
  const double fan_in = static_cast<double>(n / shape[0]);
  return Affine(unit, static_cast<float>(std::sqrt(3 / fan_in)), 0);
}

}  // namespace fairdarts
