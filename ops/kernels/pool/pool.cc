#include "ops/kernels/pool/pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/kernels/pool/pool.cc"
#include "hwy/foreach_target.h"
// The line before has to come first.
#include "hwy/highway.h"

#ifndef OPS_KERNELS_POOL_COUNT_
#define OPS_KERNELS_POOL_COUNT_

#include <algorithm>
#include <limits>

namespace fairdarts {
namespace {

// How many of 3 rows or columns around `at` exist.
inline int PoolCount(int at, int size) {
  return std::min(at + 1, size - 1) - std::max(at - 1, 0) + 1;
}

}  // namespace
}  // namespace fairdarts

#endif  // OPS_KERNELS_POOL_COUNT_

HWY_BEFORE_NAMESPACE();
namespace fairdarts {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

using D = hn::CappedTag<float, kPlaneSlack>;

template <bool kAverage, class V>
HWY_INLINE V Join(V a, V b) {
  return kAverage ? hn::Add(a, b) : hn::Max(a, b);
}

// One row of outputs: the three rows joined into a line between neutral
// elements, then every three of its columns.
template <bool kAverage>
HWY_INLINE void Row(const PoolArguments& a, const float* in, int row,
                    float* out) {
  const D d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const int width = a.width;
  const float* const middle = in + int64_t{row} * width;
  const float* const above = row > 0 ? middle - width : middle;
  const float* const below = row + 1 < a.height ? middle + width : middle;
  const float neutral =
      kAverage ? 0.0f : -std::numeric_limits<float>::infinity();
  float* const line = a.scratch + 1;
  // A missing row repeats the middle one, which does not change a maximum; in
  // a sum it is zero.
  for (int x = 0; x < width; x += lanes) {
    auto up = hn::LoadU(d, above + x);
    auto down = hn::LoadU(d, below + x);
    if (kAverage && above == middle) up = hn::Zero(d);
    if (kAverage && below == middle) down = hn::Zero(d);
    hn::StoreU(
        Join<kAverage>(Join<kAverage>(up, hn::LoadU(d, middle + x)), down), d,
        line + x);
  }
  line[-1] = neutral;
  line[width] = neutral;

  const int rows = PoolCount(row, a.height);
  const float inner = kAverage ? a.scale / (3 * rows) : a.scale;
  const auto store = [&](int x, float joined, float factor) {
    const float value = joined * factor;
    out[x] = a.accumulate ? out[x] + value : value;
  };
  const auto scalar = [&](int x) {
    const int column = x * a.stride;
    const float joined =
        kAverage ? line[column - 1] + line[column] + line[column + 1]
                 : std::max(std::max(line[column - 1], line[column]),
                            line[column + 1]);
    store(x, joined,
          kAverage ? a.scale / (rows * PoolCount(column, width)) : a.scale);
  };
  const int out_width = (width + a.stride - 1) / a.stride;
  if (a.stride != 1) {
    for (int x = 0; x < out_width; ++x) scalar(x);
    return;
  }
  // Only the first and the last column have another count.
  scalar(0);
  int x = 1;
  const auto factor = hn::Set(d, inner);
  for (; x + lanes <= width - 1; x += lanes) {
    auto value = hn::Mul(
        Join<kAverage>(
            Join<kAverage>(hn::LoadU(d, line + x - 1), hn::LoadU(d, line + x)),
            hn::LoadU(d, line + x + 1)),
        factor);
    if (a.accumulate) value = hn::Add(value, hn::LoadU(d, out + x));
    hn::StoreU(value, d, out + x);
  }
  for (; x < width; ++x) scalar(x);
}

template <bool kAverage>
void PoolOf(const PoolArguments& a) {
  const int out_height = (a.height + a.stride - 1) / a.stride;
  const int out_width = (a.width + a.stride - 1) / a.stride;
  for (int c = 0; c < a.channels; ++c) {
    const float* const in = a.in + c * a.in_stride;
    float* out = a.out + c * a.out_stride;
    for (int y = 0; y < out_height; ++y) {
      Row<kAverage>(a, in, y * a.stride, out);
      out += out_width;
    }
  }
}

void Pool(const PoolArguments& a) {
  if (a.average) {
    PoolOf<true>(a);
  } else {
    PoolOf<false>(a);
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

void PoolReference(const PoolArguments& a) {
  for (int c = 0; c < a.channels; ++c) {
    const float* const in = a.in + c * a.in_stride;
    float* out = a.out + c * a.out_stride;
    for (int y = 0; y < a.height; y += a.stride) {
      for (int x = 0; x < a.width; x += a.stride) {
        float joined = a.average ? 0 : -std::numeric_limits<float>::infinity();
        for (int row = std::max(y - 1, 0); row <= std::min(y + 1, a.height - 1);
             ++row) {
          for (int column = std::max(x - 1, 0);
               column <= std::min(x + 1, a.width - 1); ++column) {
            const float value = in[int64_t{row} * a.width + column];
            joined = a.average ? joined + value : std::max(joined, value);
          }
        }
        if (a.average) joined /= PoolCount(y, a.height) * PoolCount(x, a.width);
        const float value = joined * a.scale;
        *out = a.accumulate ? *out + value : value;
        ++out;
      }
    }
  }
}

}  // namespace

int64_t PoolScratch(int width) { return int64_t{width} + 2 + kPlaneSlack; }

PoolFunction PoolFor(Isa isa) { FD_RETURN_ISA(isa, Pool, PoolReference); }

}  // namespace fairdarts

#endif  // HWY_ONCE
