#include "training/auto_augment/geometry.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "fairdarts/base/check.h"

namespace fairdarts {
namespace {

// Bytes in a vector; kernels work on lines of so many pixels.
constexpr int kLane = 16;
// What a line of kLane pixels reads: one pixel before, two behind.
constexpr int kTaps = kLane + 3;

constexpr double kIndex[kLane] = {0, 1, 2,  3,  4,  5,  6,  7,
                                  8, 9, 10, 11, 12, 13, 14, 15};

// floor() of values that fit an int; without SSE4.1 the library's is a call.
int Floor(double v) {
  const int i = static_cast<int>(v);
  return i - (v < i);
}

// The cubic of Pillow's bicubic filter through b (at 0) and c (at 1). Its order
// of operations, because the truncation that follows shows the last bit.
double Cubic(int a, int b, int c, int d, double at) {
  const double p1 = b;
  const double p2 = c - a;
  const double p3 = 2 * (a - b) + c - d;
  const double p4 = b - a + d - c;
  return p1 + at * (p2 + at * (p3 + at * p4));
}

// kLane pixels that lie at taps[1 + i] + at[i].
void CubicLine(const uint8_t* taps, const double* at, uint8_t* out) {
  for (int i = 0; i < kLane; ++i) {
    double v = Cubic(taps[i], taps[i + 1], taps[i + 2], taps[i + 3], at[i]);
    v = v > 0 ? v : 0;
    v = v < 255 ? v : 255;
    out[i] = static_cast<uint8_t>(static_cast<int>(v));
  }
}

// Where kLane neighbouring pixels of a line look along it, given the line's
// shift: at[i] behind pixel first + i of the source.
//
// The source points are rounded to doubles before anything is taken off them,
// because their last bits decide. One `first` does for all of them even where
// the shift misses a whole number by a last bit: points up to the size of the
// shift are exact, and beyond it the doubles only get coarser, so from some
// point on the miss is rounded away. Then at[i] is 1 instead of 0 for the next
// pixel, and the cubic gives that pixel exactly.
struct Line {
  int first = 0;
  // Pixels [begin, end) look inside the image.
  int begin = 0;
  int end = 0;
  alignas(16) double at[kLane];

  void Set(double shift, int start, int size) {
    alignas(16) double point[kLane];
    const double centre = start + 0.5;
    for (int i = 0; i < kLane; ++i) point[i] = centre + kIndex[i] + shift;
    first = Floor(point[0] - 0.5);
    const double pixel = first;
    for (int i = 0; i < kLane; ++i) {
      at[i] = point[i] - 0.5 - (pixel + kIndex[i]);
    }
    begin = 0;
    end = kLane;
    if (point[0] >= 0 && point[kLane - 1] < size) return;
    while (begin < kLane && point[begin] < 0) ++begin;
    while (end > begin && point[end - 1] >= size) --end;
  }

  // Puts grey where nothing was looked at.
  void FillOutside(uint8_t* line) const {
    for (int i = 0; i < begin; ++i) line[i] = kOutside;
    for (int i = end; i < kLane; ++i) line[i] = kOutside;
  }
};

// to[i] = row[lo + i] for 0 <= i < count, with the first and last of the `size`
// pixels repeated beyond the ends. Writes up to 32 bytes more than `count`.
void CopyPadded(const uint8_t* row, int size, int lo, int count, uint8_t* to) {
  const int left = std::clamp(-lo, 0, count);
  const int right = std::clamp(size - lo, left, count);
  // Copies and fills of a fixed size need no calls.
  for (int i = 0; i < left; i += 2 * kLane) {
    std::memset(to + i, row[0], 2 * kLane);
  }
  if (right - left >= kLane) {
    for (int i = left; i < right; i += kLane) {
      const int at = std::min(i, right - kLane);
      std::memcpy(to + at, row + (lo + at), kLane);
    }
  } else {
    for (int i = left; i < right; ++i) to[i] = row[lo + i];
  }
  for (int i = right; i < count; i += 2 * kLane) {
    std::memset(to + i, row[size - 1], 2 * kLane);
  }
}

using Vector = uint8_t __attribute__((vector_size(kLane)));

// to[x][y] = from[y][x] for 16 x 16 bytes: four rounds, each of which puts rows
// r and r + 8 into one another like the teeth of a zip.
void Transpose(const uint8_t* from, ptrdiff_t from_stride, uint8_t* to,
               ptrdiff_t to_stride) {
  Vector a[kLane];
  Vector b[kLane];
  for (int r = 0; r < kLane; ++r) {
    std::memcpy(&a[r], from + r * from_stride, kLane);
  }
  for (int round = 0; round < 4; ++round) {
    for (int r = 0; r < kLane / 2; ++r) {
      b[2 * r] = __builtin_shufflevector(a[r], a[r + 8], 0, 16, 1, 17, 2, 18, 3,
                                         19, 4, 20, 5, 21, 6, 22, 7, 23);
      b[2 * r + 1] =
          __builtin_shufflevector(a[r], a[r + 8], 8, 24, 9, 25, 10, 26, 11, 27,
                                  12, 28, 13, 29, 14, 30, 15, 31);
    }
    std::copy(b, b + kLane, a);
  }
  for (int r = 0; r < kLane; ++r) {
    std::memcpy(to + r * to_stride, &a[r], kLane);
  }
}

// The source pixel under (x, y) when the content moves by whole pixels.
void Translate(const ImageShape& shape, int left, int up, const uint8_t* in,
               uint8_t* out) {
  // Output columns [x0, x1) and rows [y0, y1) look inside the image.
  const int x0 = std::clamp(-left, 0, shape.width);
  const int x1 = std::clamp(shape.width - left, x0, shape.width);
  const int y0 = std::clamp(-up, 0, shape.height);
  const int y1 = std::clamp(shape.height - up, y0, shape.height);
  std::memset(out, kOutside, shape.bytes());
  if (x0 == x1) return;
  for (int c = 0; c < shape.channels; ++c) {
    const ptrdiff_t plane = c * shape.plane();
    for (ptrdiff_t y = y0; y < y1; ++y) {
      std::memcpy(out + plane + y * shape.width + x0,
                  in + plane + (y + up) * shape.width + x0 + left, x1 - x0);
    }
  }
}

// Moves beyond the image's size all give the same.
int WholePixels(double pixels, int size) {
  return static_cast<int>(
      std::floor(std::clamp<double>(pixels, -size, size) + 0.5));
}

}  // namespace

void ShearX(const ImageShape& shape, double factor, const uint8_t* in,
            uint8_t* out) {
  FD_CHECK(std::abs(factor) <= kMaxShear) << factor;
  // A row is worked on in pieces, which a buffer on the stack can hold.
  constexpr int kPiece = 4 * kLane;
  uint8_t taps[kPiece + kTaps + 2 + 2 * kLane];
  Line lines[kPiece / kLane];
  for (int y = 0; y < shape.height; ++y) {
    const double shift = factor * (y + 0.5);
    for (int piece = 0; piece < shape.width; piece += kPiece) {
      const int width = std::min(kPiece, shape.width - piece);
      // The last line of a piece overlaps the one before.
      int count = 0;
      for (int x = 0; x < width; x += kLane) {
        const int start = std::max(0, std::min(x, width - kLane));
        lines[count++].Set(shift, piece + start, shape.width);
      }
      // One more than a line needs: its first pixel is rounded by itself.
      const int lo = lines[0].first - 2;
      for (int c = 0; c < shape.channels; ++c) {
        const ptrdiff_t offset = c * shape.plane() + ptrdiff_t{y} * shape.width;
        const uint8_t* row = in + offset;
        CopyPadded(row, shape.width, lo, width + kTaps + 2, taps);
        for (int l = 0; l < count; ++l) {
          const Line& line = lines[l];
          const int start = std::max(0, std::min(l * kLane, width - kLane));
          uint8_t* to = out + offset + piece + start;
          uint8_t narrow[kLane];
          uint8_t* result = width < kLane ? narrow : to;
          if (line.begin < line.end) {
            CubicLine(taps + (line.first - 1 - lo), line.at, result);
          }
          line.FillOutside(result);
          if (width < kLane) std::memcpy(to, narrow, width);
        }
      }
    }
  }
}

void ShearY(const ImageShape& shape, double factor, const uint8_t* in,
            uint8_t* out) {
  FD_CHECK(std::abs(factor) <= kMaxShear) << factor;
  // Tiles of 16 x 16 pixels, turned so that columns lie as lines. What they
  // read spans 19 rows and what the shifts of 15 columns add.
  constexpr int kRows = 2 * kLane;
  static_assert(kTaps + kMaxShear * (kLane - 1) + 2 <= kRows);
  Line lines[kLane];
  alignas(16) uint8_t rows[kRows][kLane] = {};
  alignas(16) uint8_t columns[kLane][kRows];
  alignas(16) uint8_t result[kLane][kLane];
  const int width = std::min(kLane, shape.width);
  for (int tile_x = 0; tile_x < shape.width; tile_x += kLane) {
    const int x0 = std::max(0, std::min(tile_x, shape.width - kLane));
    for (int tile_y = 0; tile_y < shape.height; tile_y += kLane) {
      const int y0 = std::max(0, std::min(tile_y, shape.height - kLane));
      const int height = std::min(kLane, shape.height);
      for (int x = 0; x < kLane; ++x) {
        lines[x].Set(factor * (x0 + x + 0.5), y0, shape.height);
      }
      const int lo = std::min(lines[0].first, lines[kLane - 1].first) - 2;
      for (int c = 0; c < shape.channels; ++c) {
        const uint8_t* plane = in + c * shape.plane() + x0;
        for (int r = 0; r < kRows; ++r) {
          const ptrdiff_t y = std::clamp(lo + r, 0, shape.height - 1);
          if (width == kLane) {
            std::memcpy(rows[r], plane + y * shape.width, kLane);
          } else {
            std::memcpy(rows[r], plane + y * shape.width, width);
          }
        }
        Transpose(rows[0], kLane, columns[0], kRows);
        Transpose(rows[kLane], kLane, columns[0] + kLane, kRows);
        for (int x = 0; x < width; ++x) {
          const Line& line = lines[x];
          if (line.begin < line.end) {
            CubicLine(columns[x] + (line.first - 1 - lo), line.at, result[x]);
          }
          line.FillOutside(result[x]);
        }
        uint8_t* to = out + c * shape.plane() + x0;
        if (width == kLane && height == kLane) {
          Transpose(result[0], kLane, to + ptrdiff_t{y0} * shape.width,
                    shape.width);
          continue;
        }
        for (int y = 0; y < height; ++y) {
          for (int x = 0; x < width; ++x) {
            to[ptrdiff_t{y0 + y} * shape.width + x] = result[x][y];
          }
        }
      }
    }
  }
}

void TranslateX(const ImageShape& shape, double pixels, const uint8_t* in,
                uint8_t* out) {
  Translate(shape, WholePixels(pixels, shape.width), 0, in, out);
}

void TranslateY(const ImageShape& shape, double pixels, const uint8_t* in,
                uint8_t* out) {
  Translate(shape, 0, WholePixels(pixels, shape.height), in, out);
}

void Rotate(const ImageShape& shape, double cosine, double sine,
            const uint8_t* in, uint8_t* out) {
  FD_CHECK(cosine > 0 && sine >= 0) << cosine << " " << sine;
  // x' = x cos - y sin + e, y' = x sin + y cos + f, all in 1 / 65536.
  const auto fixed = [](double v) {
    return static_cast<int64_t>(std::floor(v * 65536 + 0.5));
  };
  const double middle_x = shape.width / 2.0;
  const double middle_y = shape.height / 2.0;
  const double e = cosine * -middle_x + -sine * -middle_y + middle_x;
  const double f = sine * -middle_x + cosine * -middle_y + middle_y;
  const int64_t step_cosine = fixed(cosine);
  const int64_t step_sine = fixed(sine);
  const int64_t up_sine = fixed(-sine);
  int64_t row_x = fixed(e + cosine * 0.5 + -sine * 0.5);
  int64_t row_y = fixed(f + sine * 0.5 + cosine * 0.5);
  const int64_t limit_x = int64_t{shape.width} << 16;
  const int64_t limit_y = int64_t{shape.height} << 16;
  // The first x with v + x * step >= bound.
  const auto first = [&](int64_t v, int64_t step, int64_t bound) -> int64_t {
    if (v >= bound) return 0;
    if (step == 0) return shape.width;
    return std::min<int64_t>((bound - v + step - 1) / step, shape.width);
  };
  for (int y = 0; y < shape.height;
       ++y, row_x += up_sine, row_y += step_cosine) {
    // Both coordinates grow with x, so the columns that look inside are a run.
    const int64_t begin =
        std::max(first(row_x, step_cosine, 0), first(row_y, step_sine, 0));
    const int64_t end =
        std::max(begin, std::min(first(row_x, step_cosine, limit_x),
                                 first(row_y, step_sine, limit_y)));
    uint8_t* row = out + ptrdiff_t{y} * shape.width;
    for (int c = 0; c < shape.channels; ++c) {
      std::memset(row + c * shape.plane(), kOutside, shape.width);
    }
    int64_t source_x = row_x + begin * step_cosine;
    int64_t source_y = row_y + begin * step_sine;
    if (shape.channels == 3) {
      const uint8_t* red = in;
      const uint8_t* green = red + shape.plane();
      const uint8_t* blue = green + shape.plane();
      uint8_t* out_green = row + shape.plane();
      uint8_t* out_blue = out_green + shape.plane();
      for (int64_t x = begin; x < end; ++x) {
        const ptrdiff_t at = (source_y >> 16) * shape.width + (source_x >> 16);
        row[x] = red[at];
        out_green[x] = green[at];
        out_blue[x] = blue[at];
        source_x += step_cosine;
        source_y += step_sine;
      }
    } else {
      for (int64_t x = begin; x < end; ++x) {
        row[x] = in[(source_y >> 16) * shape.width + (source_x >> 16)];
        source_x += step_cosine;
        source_y += step_sine;
      }
    }
  }
}

}  // namespace fairdarts
