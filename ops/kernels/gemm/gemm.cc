#include "ops/kernels/gemm/gemm.h"

#include <algorithm>
#include <type_traits>

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

// So many at the end of a map go one by one.
constexpr int kFewPixels = 2;

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

// One pixel, with rows in the lanes of a vector: for the one or two at the end
// of a map that would leave most of a vector of pixels idle.
template <int kRows, bool kRelu>
HWY_INLINE void Pixel(const GemmArguments& a, const float* HWY_RESTRICT weights,
                      const float* HWY_RESTRICT bias,
                      const float* HWY_RESTRICT in, float* HWY_RESTRICT out) {
  const hn::CappedTag<float, 8> d;
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(d));
  constexpr int kParts = (kRows + kLanes - 1) / kLanes;
  // Sums that do not wait for each other.
  constexpr int kChains = 4;
  const auto zero = hn::Zero(d);
  hn::Vec<decltype(d)> sums[kChains][kParts];
#pragma GCC unroll 8
  for (int c = 0; c < kChains; ++c) {
#pragma GCC unroll 8
    for (int p = 0; p < kParts; ++p) sums[c][p] = zero;
  }
  const auto act = [](float x) { return kRelu ? std::max(x, 0.0f) : x; };
  const int floats = kRows * a.depth;
  int k = 0;
  // Vectors of weights reach into those of the next k, not behind the last.
  for (; (k + kChains - 1) * kRows + kParts * kLanes <= floats; k += kChains) {
#pragma GCC unroll 8
    for (int c = 0; c < kChains; ++c) {
      const auto x = hn::Set(d, act(in[(k + c) * a.in_stride]));
#pragma GCC unroll 8
      for (int p = 0; p < kParts; ++p) {
        const auto w = hn::LoadU(d, weights + (k + c) * kRows + p * kLanes);
        sums[c][p] = hn::MulAdd(w, x, sums[c][p]);
      }
    }
  }
  float totals[kParts * kLanes];
#pragma GCC unroll 8
  for (int p = 0; p < kParts; ++p) {
    hn::StoreU(hn::Add(hn::Add(sums[0][p], sums[1][p]),
                       hn::Add(sums[2][p], sums[3][p])),
               d, totals + p * kLanes);
  }
  for (int i = 0; i < kRows; ++i) {
    float sum = bias[i] + totals[i];
    for (int rest = k; rest < a.depth; ++rest) {
      sum += weights[rest * kRows + i] * act(in[rest * a.in_stride]);
    }
    float* const to = out + i * a.out_stride;
    *to = a.accumulate ? *to + sum : sum;
  }
}

// So many vectors of pixels of all rows; 0: one pixel.
template <int kVectors, bool kRelu>
HWY_INLINE void Columns(const GemmArguments& a, const GemmBlocks& blocks,
                        int pixel) {
  const float* weights = a.weights;
  const float* bias = a.bias;
  const float* const in = a.in + pixel;
  float* out = a.out + pixel;
  for (int block = 0; block < blocks.count; ++block) {
    const int rows = blocks.RowsOf(block);
    const auto run = [&](auto size) HWY_ATTR {
      constexpr int kRows = decltype(size)::value;
      if constexpr (kVectors == 0) {
        Pixel<kRows, kRelu>(a, weights, bias, in, out);
      } else {
        Tile<kRows, kVectors, kRelu>(a, weights, bias, in, out);
      }
    };
    switch (rows) {
      case 6:
        run(std::integral_constant<int, 6>());
        break;
      case 5:
        run(std::integral_constant<int, 5>());
        break;
      case 4:
        run(std::integral_constant<int, 4>());
        break;
      case 3:
        run(std::integral_constant<int, 3>());
        break;
      case 2:
        run(std::integral_constant<int, 2>());
        break;
      default:
        run(std::integral_constant<int, 1>());
        break;
    }
    weights += int64_t{rows} * a.depth;
    bias += rows;
    out += rows * a.out_stride;
  }
}

template <bool kRelu>
void GemmOf(const GemmArguments& a) {
  const GemmBlocks blocks(a.rows);
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
  constexpr int kTile = kTileVectors * kLanes;
  int pixel = 0;
  for (; pixel + kTile <= a.pixels; pixel += kTile) {
    Columns<kTileVectors, kRelu>(a, blocks, pixel);
  }
  for (; pixel + kFewPixels < a.pixels; pixel += kLanes) {
    Columns<1, kRelu>(a, blocks, pixel);
  }
  for (; pixel < a.pixels; ++pixel) Columns<0, kRelu>(a, blocks, pixel);
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

#include "ops/kernels/select_isa.h"

namespace fairdarts {
namespace {

void GemmReference(const GemmArguments& a) {
  const GemmBlocks blocks(a.rows);
  for (int block = 0; block < blocks.count; ++block) {
    const int first = blocks.Begin(block);
    const int rows = blocks.RowsOf(block);
    const float* const weights = a.weights + int64_t{first} * a.depth;
    for (int m = 0; m < rows; ++m) {
      float* const out = a.out + (first + m) * a.out_stride;
      for (int p = 0; p < a.pixels; ++p) {
        float sum = a.bias[first + m];
        for (int k = 0; k < a.depth; ++k) {
          const float x = a.in[k * a.in_stride + p];
          sum += weights[k * rows + m] * (a.relu ? std::max(x, 0.0f) : x);
        }
        out[p] = a.accumulate ? out[p] + sum : sum;
      }
    }
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

void PackGemmWeights(const float* weights, int rows, int depth, float* packed) {
  const GemmBlocks blocks(rows);
  for (int block = 0; block < blocks.count; ++block) {
    const int64_t block_rows = blocks.RowsOf(block);
    switch (block_rows) {
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
    weights += block_rows * depth;
    packed += block_rows * depth;
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
