#include "ops/kernels/lane_gemm/lane_gemm.h"

#include "ops/kernels/lanes.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/kernels/lane_gemm/lane_gemm.cc"
#include "hwy/foreach_target.h"
// The line before has to come first.
#include "hwy/highway.h"

#ifndef FAIRDARTS_LANE_GEMM_BLOCKS
#define FAIRDARTS_LANE_GEMM_BLOCKS

namespace fairdarts {
namespace {

// Rows are taken in blocks of at most this many, all of nearly one size.
constexpr int kBlock = 6;

// The row behind the block that begins at `row`.
inline int BlockEnd(int rows, int row) {
  const int blocks = (rows - row + kBlock - 1) / kBlock;
  return row + (rows - row + blocks - 1) / blocks;
}

}  // namespace
}  // namespace fairdarts

#endif  // FAIRDARTS_LANE_GEMM_BLOCKS

HWY_BEFORE_NAMESPACE();
namespace fairdarts {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

using D = hn::CappedTag<float, kLanes>;
using V = hn::Vec<D>;

// Vectors of pixels a tile of the product: with kBlock rows they leave
// registers for a column of inputs and a weight.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
constexpr int kTileVectors = 4;
#else
constexpr int kTileVectors = 2;
#endif

template <int kRows, int kVectors>
HWY_INLINE void ProductTile(const LaneGemmArguments& a,
                            const float* HWY_RESTRICT weights,
                            const float* HWY_RESTRICT in,
                            float* HWY_RESTRICT out) {
  const D d;
  constexpr int kPart = static_cast<int>(hn::MaxLanes(d));
  V sums[kRows][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) sums[i][j] = hn::Zero(d);
  }
  const int64_t in_channel = a.in_channel;
  for (int k = 0; k < a.depth; ++k) {
    V x[kVectors];
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) x[j] = hn::LoadU(d, in + j * kPart);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      const V w = hn::Set(d, weights[i]);
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) {
        sums[i][j] = hn::MulAdd(w, x[j], sums[i][j]);
      }
    }
    weights += kRows;
    in += in_channel;
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      hn::StoreU(sums[i][j], d, out + i * a.out_channel + j * kPart);
    }
  }
}

template <int kVectors>
HWY_INLINE void ProductColumns(const LaneGemmArguments& a, int64_t offset) {
  const float* weights = a.weights;
  const float* const in = a.in + offset;
  for (int row = 0; row < a.rows;) {
    const int end = BlockEnd(a.rows, row);
    float* const out = a.out + row * a.out_channel + offset;
    switch (end - row) {
      case 6:
        ProductTile<6, kVectors>(a, weights, in, out);
        break;
      case 5:
        ProductTile<5, kVectors>(a, weights, in, out);
        break;
      case 4:
        ProductTile<4, kVectors>(a, weights, in, out);
        break;
      case 3:
        ProductTile<3, kVectors>(a, weights, in, out);
        break;
      case 2:
        ProductTile<2, kVectors>(a, weights, in, out);
        break;
      default:
        ProductTile<1, kVectors>(a, weights, in, out);
        break;
    }
    weights += int64_t{end - row} * a.depth;
    row = end;
  }
}

// The part of a prefetch that belongs to one of `parts` tiles.
template <bool kWrite>
HWY_INLINE void Prefetch(const float* memory, int64_t size, int part,
                         int parts) {
  constexpr int kLine = 16;
  const int64_t lines = size / kLine;
  for (int64_t i = lines * part / parts; i < lines * (part + 1) / parts; ++i) {
    // Into the second level: the first has no room for a row.
    __builtin_prefetch(memory + i * kLine, kWrite ? 1 : 0, 2);
  }
}

void Product(const LaneGemmArguments& a) {
  constexpr int kPart = static_cast<int>(hn::MaxLanes(D()));
  constexpr int kTile = kTileVectors * kPart;
  const LanePrefetch& prefetch = a.prefetch;
  const int size = a.width * kLanes;
  const int tiles = (size + kTile - 1) / kTile;
  for (int tile = 0; tile < tiles; ++tile) {
    Prefetch<false>(prefetch.read, prefetch.read_size, tile, tiles);
    Prefetch<false>(prefetch.read_too, prefetch.read_too_size, tile, tiles);
    Prefetch<true>(prefetch.write, prefetch.write_size, tile, tiles);
    const int begin = tile * kTile;
    if (begin + kTile <= size) {
      ProductColumns<kTileVectors>(a, begin);
    } else {
      for (int i = begin; i < size; i += kPart) ProductColumns<1>(a, i);
    }
  }
}

// A tile's sums and one load of either side fill the registers.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
constexpr int kTileRows = 6;
#else
constexpr int kTileRows = 3;
#endif
constexpr int kTileDepth = 4;

// kRows x kDepth weights: their lanes are added here, so that the gradient as a
// whole stays in the first-level cache.
template <int kRows, int kDepth>
HWY_INLINE void Tile(const LaneGemmWeightArguments& a, int m, int k) {
  const D d;
  constexpr int kPart = static_cast<int>(hn::MaxLanes(d));
  V sums[kRows][kDepth];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < kDepth; ++j) sums[i][j] = hn::Zero(d);
  }
  for (int y = 0; y < a.height; ++y) {
    const float* HWY_RESTRICT dout =
        a.dout + y * a.dout_row + m * a.dout_channel;
    const float* HWY_RESTRICT in = a.in + y * a.in_row + k * a.in_channel;
    for (int n = 0; n < a.width * kLanes; n += kPart) {
      V x[kDepth];
#pragma GCC unroll 8
      for (int j = 0; j < kDepth; ++j) {
        x[j] = hn::LoadU(d, in + j * a.in_channel + n);
      }
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i) {
        const V g = hn::LoadU(d, dout + i * a.dout_channel + n);
#pragma GCC unroll 8
        for (int j = 0; j < kDepth; ++j) {
          sums[i][j] = hn::MulAdd(g, x[j], sums[i][j]);
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
    float* const weights = a.weights + int64_t{m + i} * a.depth + k;
#pragma GCC unroll 8
    for (int j = 0; j < kDepth; ++j) {
      weights[j] += hn::GetLane(hn::SumOfLanes(d, sums[i][j]));
    }
  }
}

template <int kRows>
HWY_INLINE void TileRow(const LaneGemmWeightArguments& a, int m) {
  int k = 0;
  for (; k + kTileDepth <= a.depth; k += kTileDepth) {
    Tile<kRows, kTileDepth>(a, m, k);
  }
  for (; k < a.depth; ++k) Tile<kRows, 1>(a, m, k);
}

void WeightGradient(const LaneGemmWeightArguments& a) {
  int m = 0;
  for (; m + kTileRows <= a.rows; m += kTileRows) TileRow<kTileRows>(a, m);
  for (; m < a.rows; ++m) TileRow<1>(a, m);
}

#endif  // HWY_TARGET != HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace fairdarts
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include "ops/kernels/select_isa.h"

namespace fairdarts {
namespace {

void ProductReference(const LaneGemmArguments& a) {
  const float* weights = a.weights;
  for (int row = 0; row < a.rows;) {
    const int end = BlockEnd(a.rows, row);
    for (int m = row; m < end; ++m) {
      for (int n = 0; n < a.width * kLanes; ++n) {
        float sum = 0;
        for (int k = 0; k < a.depth; ++k) {
          sum +=
              weights[k * (end - row) + m - row] * a.in[k * a.in_channel + n];
        }
        a.out[m * a.out_channel + n] = sum;
      }
    }
    weights += int64_t{end - row} * a.depth;
    row = end;
  }
}

void WeightGradientReference(const LaneGemmWeightArguments& a) {
  for (int m = 0; m < a.rows; ++m) {
    for (int k = 0; k < a.depth; ++k) {
      float sum = 0;
      for (int y = 0; y < a.height; ++y) {
        for (int n = 0; n < a.width * kLanes; ++n) {
          sum += a.dout[y * a.dout_row + m * a.dout_channel + n] *
                 a.in[y * a.in_row + k * a.in_channel + n];
        }
      }
      a.weights[int64_t{m} * a.depth + k] += sum;
    }
  }
}

}  // namespace

LaneGemmFunction LaneGemmFor(Isa isa) {
  FD_RETURN_ISA(isa, Product, ProductReference);
}

LaneGemmWeightFunction LaneGemmWeightGradientFor(Isa isa) {
  FD_RETURN_ISA(isa, WeightGradient, WeightGradientReference);
}

void PackLaneRows(const float* weights, int rows, int depth, float* packed) {
  for (int row = 0; row < rows;) {
    const int end = BlockEnd(rows, row);
    for (int k = 0; k < depth; ++k) {
      for (int m = row; m < end; ++m) {
        *packed++ = weights[int64_t{m} * depth + k];
      }
    }
    row = end;
  }
}

void PackLaneColumns(const float* weights, int rows, int depth, float* packed) {
  for (int column = 0; column < depth;) {
    const int end = BlockEnd(depth, column);
    for (int m = 0; m < rows; ++m) {
      for (int k = column; k < end; ++k) {
        *packed++ = weights[int64_t{m} * depth + k];
      }
    }
    column = end;
  }
}

}  // namespace fairdarts

#endif  // HWY_ONCE
