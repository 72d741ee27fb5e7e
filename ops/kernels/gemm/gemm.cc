#include "ops/kernels/gemm/gemm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/kernels/gemm/gemm.cc"
#include "hwy/foreach_target.h"
// The line before has to come first.
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace fairdarts {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

using D = hn::CappedTag<float, kPlaneSlack>;
using V = hn::Vec<D>;

// Vectors of pixels a tile: with kGemmBlock rows they leave registers for a
// column of inputs and a weight.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
constexpr int kTileVectors = 4;
#else
constexpr int kTileVectors = 2;
#endif

// One tile of kRows x kVectors vectors.
template <int kRows, int kVectors, bool kRelu>
HWY_INLINE void Tile(const GemmArguments& a, const float* HWY_RESTRICT weights,
                     const float* HWY_RESTRICT bias,
                     const float* HWY_RESTRICT in, float* HWY_RESTRICT out) {
  const D d;
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(d));
  const V zero = hn::Zero(d);
  V sums[kRows][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) sums[i][j] = hn::Set(d, bias[i]);
  }
  const int64_t in_stride = a.in_stride;
  for (int k = 0; k < a.depth; ++k) {
    V x[kVectors];
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      x[j] = hn::LoadU(d, in + j * kLanes);
      if (kRelu) x[j] = hn::Max(x[j], zero);
    }
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      const V w = hn::Set(d, weights[i]);
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) {
        sums[i][j] = hn::MulAdd(w, x[j], sums[i][j]);
      }
    }
    weights += kRows;
    in += in_stride;
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      float* const to = out + i * a.out_stride + j * kLanes;
      if (a.accumulate) sums[i][j] = hn::Add(sums[i][j], hn::LoadU(d, to));
      hn::StoreU(sums[i][j], d, to);
    }
  }
}

template <int kVectors, bool kRelu>
HWY_INLINE void Columns(const GemmArguments& a, int pixel) {
  const float* weights = a.weights;
  for (int row = 0; row < a.rows;) {
    const int end = GemmBlockEnd(a.rows, row);
    const float* const bias = a.bias + row;
    const float* const in = a.in + pixel;
    float* const out = a.out + row * a.out_stride + pixel;
    switch (end - row) {
      case 6:
        Tile<6, kVectors, kRelu>(a, weights, bias, in, out);
        break;
      case 5:
        Tile<5, kVectors, kRelu>(a, weights, bias, in, out);
        break;
      case 4:
        Tile<4, kVectors, kRelu>(a, weights, bias, in, out);
        break;
      case 3:
        Tile<3, kVectors, kRelu>(a, weights, bias, in, out);
        break;
      case 2:
        Tile<2, kVectors, kRelu>(a, weights, bias, in, out);
        break;
      default:
        Tile<1, kVectors, kRelu>(a, weights, bias, in, out);
        break;
    }
    weights += int64_t{end - row} * a.depth;
    row = end;
  }
}

template <bool kRelu>
void GemmOf(const GemmArguments& a) {
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
  constexpr int kTile = kTileVectors * kLanes;
  int pixel = 0;
  for (; pixel + kTile <= a.pixels; pixel += kTile) {
    Columns<kTileVectors, kRelu>(a, pixel);
  }
  for (; pixel < a.pixels; pixel += kLanes) Columns<1, kRelu>(a, pixel);
}

void Gemm(const GemmArguments& a) {
  if (a.relu) {
    GemmOf<true>(a);
  } else {
    GemmOf<false>(a);
  }
}

#endif  // HWY_TARGET != HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace fairdarts
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <algorithm>

#include "ops/kernels/select_isa.h"

namespace fairdarts {
namespace {

void GemmReference(const GemmArguments& a) {
  const float* weights = a.weights;
  for (int row = 0; row < a.rows;) {
    const int end = GemmBlockEnd(a.rows, row);
    const int block = end - row;
    for (int m = row; m < end; ++m) {
      float* const out = a.out + m * a.out_stride;
      for (int p = 0; p < a.pixels; ++p) {
        float sum = a.bias[m];
        for (int k = 0; k < a.depth; ++k) {
          const float x = a.in[k * a.in_stride + p];
          sum +=
              weights[k * block + (m - row)] * (a.relu ? std::max(x, 0.0f) : x);
        }
        out[p] = a.accumulate ? out[p] + sum : sum;
      }
    }
    weights += int64_t{block} * a.depth;
    row = end;
  }
}

template <int kRows>
void PackBlock(const float* weights, int depth, float* packed) {
  for (int k = 0; k < depth; ++k) {
    for (int m = 0; m < kRows; ++m) {
      *packed++ = weights[int64_t{m} * depth + k];
    }
  }
}

}  // namespace

GemmFunction GemmFor(Isa isa) { FD_RETURN_ISA(isa, Gemm, GemmReference); }

int GemmBlockEnd(int rows, int row) {
  const int blocks = (rows - row + kGemmBlock - 1) / kGemmBlock;
  return row + (rows - row + blocks - 1) / blocks;
}

void PackGemmWeights(const float* weights, int rows, int depth, float* packed) {
  for (int row = 0; row < rows;) {
    const int end = GemmBlockEnd(rows, row);
    switch (end - row) {
      case 6:
        PackBlock<6>(weights, depth, packed);
        break;
      case 5:
        PackBlock<5>(weights, depth, packed);
        break;
      case 4:
        PackBlock<4>(weights, depth, packed);
        break;
      case 3:
        PackBlock<3>(weights, depth, packed);
        break;
      case 2:
        PackBlock<2>(weights, depth, packed);
        break;
      default:
        PackBlock<1>(weights, depth, packed);
        break;
    }
    weights += int64_t{end - row} * depth;
    packed += int64_t{end - row} * depth;
    row = end;
  }
}

std::vector<float> PackGemmWeights(const std::vector<float>& weights, int rows,
                                   int depth) {
  FD_CHECK_EQ(static_cast<int64_t>(weights.size()), int64_t{rows} * depth);
  std::vector<float> packed(weights.size());
  PackGemmWeights(weights.data(), rows, depth, packed.data());
  return packed;
}

}  // namespace fairdarts

#endif  // HWY_ONCE
