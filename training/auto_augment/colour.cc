#include "training/auto_augment/colour.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "fairdarts/base/check.h"

namespace fairdarts {
namespace {

// One step of a row through a buffer on the stack.
constexpr int kPiece = 256;

inline uint8_t Blend(int plain, int original, float factor) {
  float v =
      static_cast<float>(plain) + factor * static_cast<float>(original - plain);
  v = v > 0.0f ? v : 0.0f;
  v = v < 255.0f ? v : 255.0f;
  return static_cast<uint8_t>(static_cast<int>(v));
}

void BlendRow(const uint8_t* __restrict plain, const uint8_t* __restrict in,
              float factor, ptrdiff_t n, uint8_t* __restrict out) {
  for (ptrdiff_t i = 0; i < n; ++i) out[i] = Blend(plain[i], in[i], factor);
}

void BlendConstant(uint8_t plain, const uint8_t* __restrict in, float factor,
                   ptrdiff_t n, uint8_t* __restrict out) {
  for (ptrdiff_t i = 0; i < n; ++i) out[i] = Blend(plain, in[i], factor);
}

inline uint8_t Grey(uint16_t red, uint16_t green, uint16_t blue) {
  return static_cast<uint8_t>(
      (red * 19595u + green * 38470u + blue * 7471u + 32768u) >> 16);
}

void GreyRow(const uint8_t* __restrict red, const uint8_t* __restrict green,
             const uint8_t* __restrict blue, ptrdiff_t n,
             uint8_t* __restrict out) {
  for (ptrdiff_t i = 0; i < n; ++i) out[i] = Grey(red[i], green[i], blue[i]);
}

uint64_t Sum(const uint8_t* in, ptrdiff_t n) {
  uint64_t sum = 0;
  for (ptrdiff_t i = 0; i < n;) {
    // 32 bits hold the sum of 2^24 bytes.
    const ptrdiff_t end = std::min<ptrdiff_t>(n, i + (1 << 24));
    uint32_t part = 0;
    for (; i < end; ++i) part += in[i];
    sum += part;
  }
  return sum;
}

void LookUp(const uint8_t* __restrict table, const uint8_t* __restrict in,
            ptrdiff_t n, uint8_t* __restrict out) {
  for (ptrdiff_t i = 0; i < n; ++i) out[i] = table[in[i]];
}

// out[i] = the smoothed pixel at row[i] for 0 <= i < n; reads one pixel more on
// every side. The sums are at most 13 * 255, and (sum + 6) / 13 is their mean
// rounded. That division is a product: 5042 is 65536 / 13 rounded up, and over
// these sums the surplus stays below 1/13. The floats of Pillow come to the
// same, because no mean lies closer than 1/26 to a half.
void Smooth(const uint8_t* __restrict above, const uint8_t* __restrict row,
            const uint8_t* __restrict below, ptrdiff_t n,
            uint8_t* __restrict out) {
  uint16_t columns[kPiece + 2];
  for (ptrdiff_t i = 0; i < n + 2; ++i) {
    columns[i] =
        static_cast<uint16_t>(above[i - 1] + row[i - 1] + below[i - 1] + 2);
  }
  for (ptrdiff_t i = 0; i < n; ++i) {
    const auto sum = static_cast<uint16_t>(columns[i] + columns[i + 1] +
                                           columns[i + 2] + 4 * row[i]);
    out[i] = static_cast<uint8_t>((sum * 5042u) >> 16);
  }
}

}  // namespace

void Color(const ImageShape& shape, float factor, const uint8_t* in,
           uint8_t* out) {
  if (shape.channels == 1) {
    std::memcpy(out, in, shape.bytes());
    return;
  }
  const ptrdiff_t plane = shape.plane();
  uint8_t grey[kPiece];
  for (ptrdiff_t i = 0; i < plane; i += kPiece) {
    const ptrdiff_t n = std::min<ptrdiff_t>(kPiece, plane - i);
    GreyRow(in + i, in + plane + i, in + 2 * plane + i, n, grey);
    for (int c = 0; c < 3; ++c) {
      BlendRow(grey, in + c * plane + i, factor, n, out + c * plane + i);
    }
  }
}

void Contrast(const ImageShape& shape, float factor, const uint8_t* in,
              uint8_t* out) {
  const ptrdiff_t plane = shape.plane();
  uint64_t sum = 0;
  if (shape.channels == 1) {
    sum = Sum(in, plane);
  } else {
    uint8_t grey[kPiece];
    for (ptrdiff_t i = 0; i < plane; i += kPiece) {
      const ptrdiff_t n = std::min<ptrdiff_t>(kPiece, plane - i);
      GreyRow(in + i, in + plane + i, in + 2 * plane + i, n, grey);
      sum += Sum(grey, n);
    }
  }
  const double mean = static_cast<double>(sum) / static_cast<double>(plane);
  BlendConstant(static_cast<uint8_t>(mean + 0.5), in, factor, shape.bytes(),
                out);
}

void Brightness(const ImageShape& shape, float factor, const uint8_t* in,
                uint8_t* out) {
  BlendConstant(0, in, factor, shape.bytes(), out);
}

void Sharpness(const ImageShape& shape, float factor, const uint8_t* in,
               uint8_t* out) {
  const ptrdiff_t width = shape.width;
  const ptrdiff_t plane = shape.plane();
  if (shape.height < 3 || width < 3) {
    std::memcpy(out, in, shape.bytes());
    return;
  }
  uint8_t smooth[kPiece];
  for (int c = 0; c < shape.channels; ++c) {
    const uint8_t* from = in + c * plane;
    uint8_t* to = out + c * plane;
    // All inner rows in one run, then their two ends are put back: rows alone
    // are short.
    const ptrdiff_t end = plane - width - 1;
    for (ptrdiff_t i = width + 1; i < end; i += kPiece) {
      const ptrdiff_t n = std::min<ptrdiff_t>(kPiece, end - i);
      Smooth(from + i - width, from + i, from + i + width, n, smooth);
      BlendRow(smooth, from + i, factor, n, to + i);
    }
    std::memcpy(to, from, width);
    for (ptrdiff_t i = width; i < plane - width; i += width) {
      to[i] = from[i];
      to[i + width - 1] = from[i + width - 1];
    }
    std::memcpy(to + plane - width, from + plane - width, width);
  }
}

void Posterize(const ImageShape& shape, int bits, const uint8_t* in,
               uint8_t* out) {
  FD_CHECK(bits >= 1 && bits <= 8) << bits;
  const auto mask = static_cast<uint8_t>(0xff00 >> bits);
  const ptrdiff_t n = shape.bytes();
  for (ptrdiff_t i = 0; i < n; ++i) out[i] = in[i] & mask;
}

void Solarize(const ImageShape& shape, double threshold, const uint8_t* in,
              uint8_t* out) {
  const ptrdiff_t n = shape.bytes();
  // The values from `first` on are inverted, unless there are none.
  const double first = std::ceil(std::clamp(threshold, 0.0, 256.0));
  if (first == 256) {
    std::memcpy(out, in, n);
    return;
  }
  const auto least = static_cast<uint8_t>(first);
  for (ptrdiff_t i = 0; i < n; ++i) {
    out[i] = in[i] ^ static_cast<uint8_t>(in[i] >= least ? 0xff : 0);
  }
}

void Invert(const ImageShape& shape, const uint8_t* in, uint8_t* out) {
  const ptrdiff_t n = shape.bytes();
  for (ptrdiff_t i = 0; i < n; ++i) out[i] = static_cast<uint8_t>(~in[i]);
}

void AutoContrast(const ImageShape& shape, const uint8_t* in, uint8_t* out) {
  const ptrdiff_t plane = shape.plane();
  for (int c = 0; c < shape.channels; ++c) {
    const uint8_t* from = in + c * plane;
    uint8_t least = 255;
    uint8_t largest = 0;
    for (ptrdiff_t i = 0; i < plane; ++i) {
      least = std::min(least, from[i]);
      largest = std::max(largest, from[i]);
    }
    if (largest <= least) {
      std::memcpy(out + c * plane, from, plane);
      continue;
    }
    const double scale = 255.0 / (largest - least);
    const double offset = -least * scale;
    uint8_t table[256];
    for (int v = 0; v < 256; ++v) {
      double to = v * scale + offset;
      to = to > 0 ? to : 0;
      to = to < 255 ? to : 255;
      table[v] = static_cast<uint8_t>(static_cast<int>(to));
    }
    LookUp(table, from, plane, out + c * plane);
  }
}

void Equalize(const ImageShape& shape, const uint8_t* in, uint8_t* out) {
  const ptrdiff_t plane = shape.plane();
  for (int c = 0; c < shape.channels; ++c) {
    const uint8_t* from = in + c * plane;
    // Four histograms, so that equal neighbours need not wait for each other.
    uint32_t parts[4][256] = {};
    ptrdiff_t i = 0;
    for (; i + 4 <= plane; i += 4) {
      ++parts[0][from[i]];
      ++parts[1][from[i + 1]];
      ++parts[2][from[i + 2]];
      ++parts[3][from[i + 3]];
    }
    for (; i < plane; ++i) ++parts[0][from[i]];
    for (int v = 0; v < 256; ++v) {
      parts[0][v] += parts[1][v] + parts[2][v] + parts[3][v];
    }
    const uint32_t* histogram = parts[0];
    int largest = 255;
    while (histogram[largest] == 0) --largest;
    const auto step = static_cast<uint32_t>((plane - histogram[largest]) / 255);
    if (step == 0) {
      std::memcpy(out + c * plane, from, plane);
      continue;
    }
    // below / step as a product. 2^52 / step is rounded up by at most
    // step / step, and below is at most 510 step, so what that adds to the
    // quotient, below / 2^52, stays under the 1 / step that could matter as
    // long as 510 step^2 < 2^52: up to kMaxImageSide.
    static_assert(510.0 * (kMaxImageSide / 255.0 * kMaxImageSide) *
                      (kMaxImageSide / 255.0 * kMaxImageSide) <
                  4503599627370496.0);
    const uint64_t inverse = (uint64_t{1} << 52) / step + 1;
    uint8_t table[256];
    uint64_t below = step / 2;
    for (int v = 0; v <= largest; ++v) {
      const uint64_t to = below * inverse >> 52;
      table[v] = static_cast<uint8_t>(to < 255 ? to : 255);
      below += histogram[v];
    }
    LookUp(table, from, plane, out + c * plane);
  }
}

}  // namespace fairdarts
