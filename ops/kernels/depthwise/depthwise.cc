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
#include <type_traits>

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
        for (int x = 0; x < width; ++x) {
          row[x] = a.relu ? std::max(in[x], 0.0f) : in[x];
        }
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

// kRows x kVectors vectors of outputs. The rows are `dilation` apart, so that
// a loaded vector serves as many of them as without dilation.
template <int kKernel, int kStride, int kDilation, int kRows, int kVectors,
          class D>
HWY_INLINE void Tile(D d, const float* HWY_RESTRICT weights,
                     const float* HWY_RESTRICT in, int64_t tap_rows,
                     int64_t odd_columns, float* HWY_RESTRICT out,
                     int64_t out_rows, int valid) {
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
  using V = hn::Vec<D>;
  V sums[kRows][kVectors];
#pragma GCC unroll 8
  for (int t = 0; t < kRows; ++t) {
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) sums[t][j] = hn::Zero(d);
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows + kKernel - 1; ++r, in += tap_rows) {
#pragma GCC unroll 8
    for (int s = 0; s < kKernel; ++s) {
      const int column = s * kDilation;
      const float* const from =
          kStride == 1 ? in + column
                       : in + (column % 2) * odd_columns + column / 2;
      V x[kVectors];
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) {
        x[j] = hn::LoadU(d, from + j * kLanes);
      }
#pragma GCC unroll 8
      for (int t = 0; t < kRows; ++t) {
        const int tap = r - t;
        if (tap < 0 || tap >= kKernel) continue;
        const V w = hn::Set(d, weights[tap * kKernel + s]);
#pragma GCC unroll 8
        for (int j = 0; j < kVectors; ++j) {
          sums[t][j] = hn::MulAdd(w, x[j], sums[t][j]);
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int t = 0; t < kRows; ++t) {
    if (kVectors == 1 && valid < kLanes) {
      hn::BlendedStore(sums[t][0], hn::FirstN(d, valid), d, out + t * out_rows);
      continue;
    }
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      hn::StoreU(sums[t][j], d, out + t * out_rows + j * kLanes);
    }
  }
}

// All columns of kRows rows of outputs.
template <int kKernel, int kStride, int kDilation, int kRows, class D>
HWY_INLINE void Rows(D d, const DepthwiseShape& shape, const float* weights,
                     const float* in, int64_t tap_rows, int64_t odd_columns,
                     float* out) {
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
  const int width = shape.out_width();
  const int64_t out_rows = int64_t{shape.dilation} * width;
  int x = 0;
  for (; x + 2 * kLanes <= width; x += 2 * kLanes) {
    Tile<kKernel, kStride, kDilation, kRows, 2>(
        d, weights, in + x, tap_rows, odd_columns, out + x, out_rows, kLanes);
  }
  while (x < width) {
    // The last vector overlaps the one before where it can.
    x = std::max(0, std::min(x, width - kLanes));
    Tile<kKernel, kStride, kDilation, kRows, 1>(d, weights, in + x, tap_rows,
                                                odd_columns, out + x, out_rows,
                                                width - x);
    x += kLanes;
  }
}

template <int kKernel, int kStride, int kDilation, class D>
void Planes(D d, const DepthwiseArguments& a) {
  constexpr int kRows = 4;
  const DepthwiseShape& shape = a.shape;
  const Frame frame = FrameOf(shape);
  const int height = shape.out_height();
  const int width = shape.out_width();

  const int64_t tap_rows = int64_t{kDilation} * frame.row_stride;
  std::memset(a.scratch, 0,
              sizeof(float) * int64_t{frame.rows} * frame.row_stride);
  for (int c = 0; c < shape.channels; ++c) {
    FillFrame(d, a, a.in + c * a.in_stride, frame);
    const float* const weights = a.weights + c * kKernel * kKernel;
    float* const out = a.out + c * a.out_stride;
    const auto rows_at = [&](auto rows, int y) {
      Rows<kKernel, kStride, kDilation, decltype(rows)::value>(
          d, shape, weights,
          a.scratch + int64_t{y} * shape.stride * frame.row_stride, tap_rows,
          frame.odd_columns, out + int64_t{y} * width);
    };
    int y = 0;
    if constexpr (kStride == 1) {
      for (; y + kRows * kDilation <= height; y += kRows * kDilation) {
        for (int phase = 0; phase < kDilation; ++phase) {
          rows_at(std::integral_constant<int, kRows>(), y + phase);
        }
      }
    }
    for (; y < height; ++y) rows_at(std::integral_constant<int, 1>(), y);
  }
}

template <int kKernel, class D>
void PlanesOf(D d, const DepthwiseArguments& a) {
  if constexpr (kKernel != 7) {
    if (a.shape.dilation == 2) {
      if (a.shape.stride == 1) {
        Planes<kKernel, 1, 2>(d, a);
      } else {
        Planes<kKernel, 2, 2>(d, a);
      }
      return;
    }
  }
  if (a.shape.stride == 1) {
    Planes<kKernel, 1, 1>(d, a);
  } else {
    Planes<kKernel, 2, 1>(d, a);
  }
}

template <class D>
void Kernels(D d, const DepthwiseArguments& a) {
  if (a.shape.kernel == 3) {
    PlanesOf<3>(d, a);
  } else if (a.shape.kernel == 5) {
    PlanesOf<5>(d, a);
  } else {
    PlanesOf<7>(d, a);
  }
}

void Depthwise(const DepthwiseArguments& a) {
  // Vectors no longer than a row, so that no lanes idle.
  if (HWY_TARGET == HWY_AVX3 && a.shape.out_width() >= 16) {
    Kernels(hn::CappedTag<float, 16>(), a);
  } else if (a.shape.out_width() >= 8) {
    Kernels(hn::CappedTag<float, 8>(), a);
  } else {
    Kernels(hn::CappedTag<float, 4>(), a);
  }
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
