#include "ops/kernels/pool/pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/kernels/pool/pool.cc"
#include "hwy/foreach_target.h"
// The line before has to come first.
#include <algorithm>
#include <limits>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace fairdarts {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

// At stride 2 a vector of outputs needs two of inputs, and no more than the
// slack behind a plane may be read.
using D = hn::CappedTag<float, kPlaneSlack / 2>;
using V = hn::Vec<D>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));

template <bool kAverage>
HWY_INLINE V Join(V a, V b) {
  return kAverage ? hn::Add(a, b) : hn::Max(a, b);
}

// A vector of outputs in every row of a plane.
struct Column {
  const float* in;  // the middle of its first window
  float* out;       // its first output
  int height;       // of the input
  int64_t in_row;   // from one row to the next
  int64_t out_row;
  int valid;           // lanes
  const float* left;   // of all bits where there is a pixel left of the middle
  const float* right;  // likewise
  const float* factors;  // [3] vectors: for 1, 2 and 3 rows in a window
  bool accumulate;
};

// Three in a row, where they are in the plane.
template <bool kAverage>
HWY_INLINE V Three(V left, V middle, V right, const Column& column) {
  const D d;
  const V neutral =
      hn::Set(d, kAverage ? 0.0f : -std::numeric_limits<float>::infinity());
  left =
      hn::IfThenElse(hn::MaskFromVec(hn::LoadU(d, column.left)), left, neutral);
  right = hn::IfThenElse(hn::MaskFromVec(hn::LoadU(d, column.right)), right,
                         neutral);
  return Join<kAverage>(Join<kAverage>(left, middle), right);
}

HWY_INLINE void Finish(V joined, int rows, const Column& column, float* out) {
  const D d;
  V value = hn::Mul(joined, hn::LoadU(d, column.factors + (rows - 1) * kLanes));
  const V before = hn::LoadU(d, out);
  if (column.accumulate) value = hn::Add(value, before);
  if (column.valid < kLanes) {
    // Not a masked store: those are slow on some machines, and what is written
    // back is in the plane or behind it.
    value = hn::IfThenElse(hn::FirstN(d, column.valid), value, before);
  }
  hn::StoreU(value, d, out);
}

// Rows are joined sideways once, and three such sums or maxima then serve as
// many outputs.
template <bool kAverage>
HWY_INLINE void Successive(const Column& column) {
  const D d;
  const float* in = column.in;
  float* out = column.out;
  const auto row = [&]() HWY_ATTR {
    const V joined = Three<kAverage>(hn::LoadU(d, in - 1), hn::LoadU(d, in),
                                     hn::LoadU(d, in + 1), column);
    in += column.in_row;
    return joined;
  };
  V middle = row();
  V both = middle;  // the last two, or the first alone
  int rows = 1;
  for (int y = 1; y < column.height; ++y) {
    const V below = row();
    Finish(Join<kAverage>(both, below), rows + 1, column, out);
    out += column.out_row;
    both = Join<kAverage>(middle, below);
    middle = below;
    rows = 2;
  }
  Finish(both, rows, column, out);
}

// Stride 2: rows joined first, then every other column.
template <bool kAverage>
HWY_INLINE void EveryOther(const Column& column) {
  const D d;
  const float* in = column.in;
  float* out = column.out;
  for (int y = 0; y < column.height; y += 2) {
    const bool above = y > 0;
    const bool below = y + 1 < column.height;
    const auto join = [&](int x) HWY_ATTR {
      V joined = hn::LoadU(d, in + x);
      if (above) {
        joined = Join<kAverage>(joined, hn::LoadU(d, in + x - column.in_row));
      }
      if (below) {
        joined = Join<kAverage>(joined, hn::LoadU(d, in + x + column.in_row));
      }
      return joined;
    };
    const V left_low = join(-1);
    const V left_high = join(kLanes - 1);
    const V low = join(0);
    const V high = join(kLanes);
    Finish(Three<kAverage>(hn::ConcatEven(d, left_high, left_low),
                           hn::ConcatEven(d, high, low),
                           hn::ConcatOdd(d, high, low), column),
           1 + above + below, column, out);
    in += 2 * column.in_row;
    out += column.out_row;
  }
}

template <bool kAverage>
void PoolOf(const PoolArguments& a) {
  const D d;
  const int out_width = (a.width + a.stride - 1) / a.stride;
  alignas(64) float left[kLanes];
  alignas(64) float right[kLanes];
  alignas(64) float factors[3 * kLanes];
  Column column;
  column.height = a.height;
  column.in_row = a.width;
  column.out_row = out_width;
  column.left = left;
  column.right = right;
  column.factors = factors;
  column.accumulate = a.accumulate;
  const auto ones = hn::BitCast(d, hn::Set(hn::RebindToSigned<D>(), -1));
  for (int x = 0; x < out_width; x += kLanes) {
    column.valid = std::min(kLanes, out_width - x);
    // The middles of the windows.
    const auto at =
        hn::MulAdd(hn::Iota(d, static_cast<float>(x)),
                   hn::Set(d, static_cast<float>(a.stride)), hn::Zero(d));
    const auto has_left = hn::Gt(at, hn::Zero(d));
    const auto has_right =
        hn::Lt(at, hn::Set(d, static_cast<float>(a.width - 1)));
    hn::Store(hn::IfThenElseZero(has_left, ones), d, left);
    hn::Store(hn::IfThenElseZero(has_right, ones), d, right);
    const auto one = hn::Set(d, 1.0f);
    const auto columns =
        hn::Add(one, hn::Add(hn::IfThenElseZero(has_left, one),
                             hn::IfThenElseZero(has_right, one)));
    for (int rows = 1; rows <= 3; ++rows) {
      const auto count = hn::Mul(columns, hn::Set(d, static_cast<float>(rows)));
      const auto scale = hn::Set(d, a.scale);
      hn::Store(kAverage ? hn::Div(scale, count) : scale, d,
                factors + (rows - 1) * kLanes);
    }
    for (int c = 0; c < a.channels; ++c) {
      column.in = a.in + c * a.in_stride + int64_t{x} * a.stride;
      column.out = a.out + c * a.out_stride + x;
      if (a.stride == 1) {
        Successive<kAverage>(column);
      } else {
        EveryOther<kAverage>(column);
      }
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

// How many of 3 rows or columns around `at` exist.
int PoolCount(int at, int size) {
  return std::min(at + 1, size - 1) - std::max(at - 1, 0) + 1;
}

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

PoolFunction PoolFor(Isa isa) { FD_RETURN_ISA(isa, Pool, PoolReference); }

}  // namespace fairdarts

#endif  // HWY_ONCE
