#include "fairdarts/image/resample.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "fairdarts/base/check.h"

namespace fairdarts {
namespace {

constexpr int kFractionBits = 22;

// The source pixels from `first` on that a pixel is made of, and their weights.
struct Taps {
  int first;
  std::vector<int32_t> weights;  // of 1 << kFractionBits
};

// Of the `count` pixels from `begin` on where `from` pixels become `to`.
std::vector<Taps> TapsOf(int from, int to, int begin, int count) {
  const double scale = static_cast<double>(from) / to;
  const double radius = std::max(scale, 1.0);
  std::vector<Taps> all;
  all.reserve(count);
  for (int i = begin; i < begin + count; ++i) {
    const double centre = (i + 0.5) * scale;
    const int first = static_cast<int>(std::max(centre - radius + 0.5, 0.0));
    const int end =
        static_cast<int>(std::min<double>(centre + radius + 0.5, from));
    std::vector<double> weights;
    weights.reserve(end - first);
    double sum = 0;
    for (int source = first; source < end; ++source) {
      // Multiplied as Pillow does: a division may round to another byte.
      const double distance = (source - centre + 0.5) * (1.0 / radius);
      weights.push_back(std::max(1 - std::abs(distance), 0.0));
      sum += weights.back();
    }
    Taps taps = {first, {}};
    taps.weights.reserve(weights.size());
    for (const double weight : weights) {
      taps.weights.push_back(static_cast<int32_t>(
          weight * (1.0 / sum) * (1 << kFractionBits) + 0.5));
    }
    all.push_back(std::move(taps));
  }
  return all;
}

// The weighted sum of values that lie `step` bytes apart. Weights add up to
// 1 << 22, give or take half a unit each, so sums stay below 1 << 31.
uint8_t Weighted(const Taps& taps, const uint8_t* values, ptrdiff_t step) {
  int32_t sum = 1 << (kFractionBits - 1);
  for (const int32_t weight : taps.weights) {
    sum += weight * *values;
    values += step;
  }
  return static_cast<uint8_t>(std::min(sum >> kFractionBits, 255));
}

}  // namespace

Image Resample(const Image& image, int width, int height,
               const Window& window) {
  FD_CHECK(window.left >= 0 && window.width > 0 &&
           window.left <= width - window.width);
  FD_CHECK(window.top >= 0 && window.height > 0 &&
           window.top <= height - window.height);
  const std::vector<Taps> columns =
      TapsOf(image.width, width, window.left, window.width);
  const std::vector<Taps> rows =
      TapsOf(image.height, height, window.top, window.height);

  // The source rows that the window needs, already of its width.
  const int first_row = rows.front().first;
  const int end_row =
      rows.back().first + static_cast<int>(rows.back().weights.size());
  const ptrdiff_t channels = image.channels;
  const ptrdiff_t stride = channels * window.width;
  std::vector<uint8_t> narrow(stride * (end_row - first_row));
  uint8_t* to = narrow.data();
  for (int y = first_row; y < end_row; ++y) {
    const uint8_t* const row = image.pixels.data() + channels * image.width * y;
    for (const Taps& taps : columns) {
      for (ptrdiff_t c = 0; c < channels; ++c) {
        *to++ = Weighted(taps, row + channels * taps.first + c, channels);
      }
    }
  }

  Image result;
  result.width = window.width;
  result.height = window.height;
  result.channels = image.channels;
  result.pixels.resize(stride * window.height);
  to = result.pixels.data();
  for (const Taps& taps : rows) {
    const uint8_t* const column =
        narrow.data() + stride * (taps.first - first_row);
    for (ptrdiff_t i = 0; i < stride; ++i) {
      *to++ = Weighted(taps, column + i, stride);
    }
  }
  return result;
}

}  // namespace fairdarts
