#include "ops/kernels/depthwise/depthwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/kernels/depthwise/depthwise.cc"
#include "hwy/foreach_target.h"
// The line before has to come first.
#include "hwy/highway.h"

#ifndef OPS_KERNELS_DEPTHWISE_FRAME_
#define OPS_KERNELS_DEPTHWISE_FRAME_

#include <algorithm>
#include <cstring>
#include <limits>

namespace fairdarts {
namespace {

// Where a plane lies in its frame of zeros. Rows are `row_stride` floats apart;
// at stride 2 the odd columns begin `odd_columns` behind the even ones.
struct Frame {
  int rows;
  int row_stride;
  int odd_columns;
};

inline Frame FrameOf(const DepthwiseShape& shape) {
  const int padded = shape.width + 2 * shape.padding();
  // Whole vectors are loaded from every column that a tap can begin at.
  const int columns =
      (padded + shape.stride - 1) / shape.stride + 2 * kPlaneSlack;
  return {shape.height + 2 * shape.padding(), columns * shape.stride, columns};
}

}  // namespace
}  // namespace fairdarts

#endif  // OPS_KERNELS_DEPTHWISE_FRAME_

HWY_BEFORE_NAMESPACE();
namespace fairdarts {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

// Copies the plane into the frame, whose padding stays as it is.
template <class D>
HWY_INLINE void FillFrame(D d, const DepthwiseArguments& a, const float* in,
                          const Frame& frame) {
  const int lanes = static_cast<int>(hn::Lanes(d));
  const DepthwiseShape& shape = a.shape;
  const int width = shape.width;
  const auto low =
      hn::Set(d, a.relu ? 0.0f : -std::numeric_limits<float>::infinity());
  float* row = a.scratch + shape.padding() * frame.row_stride;
  if (shape.stride == 1) {
    row += shape.padding();
    for (int y = 0; y < shape.height; ++y) {
      if (width >= lanes) {
        int x = 0;
        for (; x + lanes <= width; x += lanes) {
          hn::StoreU(hn::Max(hn::LoadU(d, in + x), low), d, row + x);
        }
        if (x < width) {
          x = width - lanes;
          hn::StoreU(hn::Max(hn::LoadU(d, in + x), low), d, row + x);
        }
      } else {
        // Reads on into the next row or the slack, and leaves the padding.
        hn::BlendedStore(hn::Max(hn::LoadU(d, in), low), hn::FirstN(d, width),
                         d, row);
      }
      in += width;
      row += frame.row_stride;
    }
    return;
  }
  const int padding = shape.padding();
  for (int y = 0; y < shape.height; ++y) {
    // Column x of the plane is column x + padding of the frame.
    float* const first = row + (padding % 2) * frame.odd_columns + padding / 2;
    float* const second =
        row + ((padding + 1) % 2) * frame.odd_columns + (padding + 1) / 2;
    int x = 0;
    for (; x + 2 * lanes <= width; x += 2 * lanes) {
      hn::Vec<D> evens;
      hn::Vec<D> odds;
      hn::LoadInterleaved2(d, in + x, evens, odds);
      hn::StoreU(hn::Max(evens, low), d, first + x / 2);
      hn::StoreU(hn::Max(odds, low), d, second + x / 2);
    }
    for (; x < width; ++x) {
      float* const to = x % 2 == 0 ? first : second;
      to[x / 2] = a.relu ? std::max(in[x], 0.0f) : in[x];
    }
    in += width;
    row += frame.row_stride;
  }
}

// Stores kVectors vectors, of the last of which `valid` lanes.
template <int kVectors, class D, class V>
HWY_INLINE void Store(D d, const V* sums, int valid, float* out) {
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
  if (kVectors == 1 && valid < kLanes) {
    hn::BlendedStore(sums[0], hn::FirstN(d, valid), d, out);
    return;
  }
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j) {
    hn::StoreU(sums[j], d, out + j * kLanes);
  }
}

// What a tile works on: the frame at its first tap, and the outputs.
struct Place {
  const float* weights;
  const float* in;
  int64_t tap_rows;    // from one tap to the next below it
  const int* columns;  // where in a row of the frame each tap begins
  float* out;
  int64_t out_rows;
};

// kRows x kVectors vectors of outputs at stride 1, in registers. The rows are
// `kDilation` apart, so that a loaded vector serves as many of them as without
// dilation.
template <int kKernel, int kDilation, int kRows>
struct Block {
  static constexpr int kStepRows = kRows * kDilation;

  template <int kVectors, class D>
  static HWY_INLINE void Run(D d, const Place& place, int x, int valid) {
    constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
    using V = hn::Vec<D>;
    const float* HWY_RESTRICT weights = place.weights;
    const float* HWY_RESTRICT in = place.in + x;
    V sums[kRows][kVectors];
#pragma GCC unroll 8
    for (int t = 0; t < kRows; ++t) {
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) sums[t][j] = hn::Zero(d);
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows + kKernel - 1; ++r, in += place.tap_rows) {
#pragma GCC unroll 8
      for (int s = 0; s < kKernel; ++s) {
        V taps[kVectors];
#pragma GCC unroll 8
        for (int j = 0; j < kVectors; ++j) {
          taps[j] = hn::LoadU(d, in + s * kDilation + j * kLanes);
        }
#pragma GCC unroll 8
        for (int t = 0; t < kRows; ++t) {
          const int tap = r - t;
          if (tap < 0 || tap >= kKernel) continue;
          const V w = hn::Set(d, weights[tap * kKernel + s]);
#pragma GCC unroll 8
          for (int j = 0; j < kVectors; ++j) {
            sums[t][j] = hn::MulAdd(w, taps[j], sums[t][j]);
          }
        }
      }
    }
#pragma GCC unroll 8
    for (int t = 0; t < kRows; ++t) {
      Store<kVectors>(d, sums[t], valid, place.out + x + t * place.out_rows);
    }
  }
};

// One row of outputs at any stride, tap by tap: for the few convolutions of
// stride 2 and maps lower than a block, which do not repay unrolled code.
template <int kKernel>
struct Line {
  template <int kVectors, class D>
  static HWY_INLINE void Run(D d, const Place& place, int x, int valid) {
    constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
    using V = hn::Vec<D>;
    const float* HWY_RESTRICT weights = place.weights;
    const float* HWY_RESTRICT in = place.in + x;
    V sums[kVectors];
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) sums[j] = hn::Zero(d);
    for (int r = 0; r < kKernel; ++r, in += place.tap_rows) {
      for (int s = 0; s < kKernel; ++s) {
        const V w = hn::Set(d, *weights++);
        const float* const from = in + place.columns[s];
#pragma GCC unroll 8
        for (int j = 0; j < kVectors; ++j) {
          sums[j] = hn::MulAdd(w, hn::LoadU(d, from + j * kLanes), sums[j]);
        }
      }
    }
    Store<kVectors>(d, sums, valid, place.out + x);
  }
};

// All columns of a tile's rows.
template <class Tile, class D>
HWY_INLINE void Columns(D d, const Place& place, int width) {
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
  int x = 0;
  for (; x + 2 * kLanes <= width; x += 2 * kLanes) {
    Tile::template Run<2>(d, place, x, kLanes);
  }
  while (x < width) {
    // The last vector overlaps the one before where it can.
    x = std::max(0, std::min(x, width - kLanes));
    Tile::template Run<1>(d, place, x, width - x);
    x += kLanes;
  }
}

template <int kKernel, int kDilation, class D>
void Planes(D d, const DepthwiseArguments& a) {
  using Rows = Block<kKernel, kDilation, 4>;
  const DepthwiseShape& shape = a.shape;
  const Frame frame = FrameOf(shape);
  const int height = shape.out_height();
  const int width = shape.out_width();
  int columns[kKernel];
  for (int s = 0; s < kKernel; ++s) {
    const int column = s * kDilation;
    columns[s] = shape.stride == 1
                     ? column
                     : (column % 2) * frame.odd_columns + column / 2;
  }
  Place place;
  place.tap_rows = int64_t{kDilation} * frame.row_stride;
  place.columns = columns;
  place.out_rows = int64_t{kDilation} * width;
  std::memset(a.scratch, 0,
              sizeof(float) * int64_t{frame.rows} * frame.row_stride);
  for (int c = 0; c < shape.channels; ++c) {
    FillFrame(d, a, a.in + c * a.in_stride, frame);
    place.weights = a.weights + c * kKernel * kKernel;
    const auto at = [&](int y) -> const Place& {
      place.in = a.scratch + int64_t{y} * shape.stride * frame.row_stride;
      place.out = a.out + c * a.out_stride + int64_t{y} * width;
      return place;
    };
    int y = 0;
    if (shape.stride == 1 && height >= Rows::kStepRows) {
      while (y < height) {
        // The last block overlaps the one before.
        y = std::min(y, height - Rows::kStepRows);
        for (int phase = 0; phase < kDilation; ++phase) {
          Columns<Rows>(d, at(y + phase), width);
        }
        y += Rows::kStepRows;
      }
    }
    for (; y < height; ++y) Columns<Line<kKernel>>(d, at(y), width);
  }
}

template <class D>
void Kernels(D d, const DepthwiseArguments& a) {
  const bool dilated = a.shape.dilation == 2;
  if (a.shape.kernel == 7) {
    Planes<7, 1>(d, a);
  } else if (a.shape.kernel == 5) {
    if (dilated) {
      Planes<5, 2>(d, a);
    } else {
      Planes<5, 1>(d, a);
    }
  } else if (dilated) {
    Planes<3, 2>(d, a);
  } else {
    Planes<3, 1>(d, a);
  }
}

void Depthwise(const DepthwiseArguments& a) {
  // No longer than a row, unless that is short: half idle lanes of a few small
  // maps are not worth another copy of the code.
#if HWY_TARGET == HWY_AVX3
  if (a.shape.out_width() >= 16) {
    Kernels(hn::CappedTag<float, 16>(), a);
    return;
  }
#endif
  Kernels(hn::CappedTag<float, 8>(), a);
}

#endif  // HWY_TARGET != HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace fairdarts
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include "ops/kernels/select_isa.h"

namespace fairdarts {
namespace {

void DepthwiseReference(const DepthwiseArguments& a) {
  const DepthwiseShape& shape = a.shape;
  const int kernel = shape.kernel;
  for (int c = 0; c < shape.channels; ++c) {
    const float* const in = a.in + c * a.in_stride;
    const float* const weights = a.weights + c * kernel * kernel;
    float* out = a.out + c * a.out_stride;
    for (int y = 0; y < shape.out_height(); ++y) {
      for (int x = 0; x < shape.out_width(); ++x) {
        float sum = 0;
        for (int r = 0; r < kernel; ++r) {
          for (int s = 0; s < kernel; ++s) {
            const int row =
                y * shape.stride + r * shape.dilation - shape.padding();
            const int column =
                x * shape.stride + s * shape.dilation - shape.padding();
            if (row < 0 || row >= shape.height || column < 0 ||
                column >= shape.width) {
              continue;
            }
            const float value = in[int64_t{row} * shape.width + column];
            sum += weights[r * kernel + s] *
                   (a.relu ? std::max(value, 0.0f) : value);
          }
        }
        *out++ = sum;
      }
    }
  }
}

}  // namespace

int64_t DepthwiseScratch(const DepthwiseShape& shape) {
  const Frame frame = FrameOf(shape);
  return int64_t{frame.rows} * frame.row_stride;
}

DepthwiseFunction DepthwiseFor(Isa isa) {
  FD_RETURN_ISA(isa, Depthwise, DepthwiseReference);
}

}  // namespace fairdarts

#endif  // HWY_ONCE
