#include "ops/kernels/lane_pool/lane_pool.h"

#include <algorithm>

#include "ops/kernels/lanes.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/kernels/lane_pool/lane_pool.cc"
#include "hwy/foreach_target.h"
// The line before has to come first.
#include "hwy/highway.h"

#ifndef FAIRDARTS_LANE_POOL_WINDOW
#define FAIRDARTS_LANE_POOL_WINDOW

namespace fairdarts {
namespace {

// The part of a window, or of what windows reach, that is inside: offsets
// [begin, end) of 0, 1, 2.
struct Window {
  int begin;
  int end;
};

// Offsets t of the input's pixels at * stride + t - 1, of `size`.
inline Window InputsOf(int at, int stride, int size) {
  return {at * stride == 0 ? 1 : 0, std::min(3, size + 1 - at * stride)};
}

inline int Count(Window w) { return w.end - w.begin; }

}  // namespace
}  // namespace fairdarts

#endif  // FAIRDARTS_LANE_POOL_WINDOW

HWY_BEFORE_NAMESPACE();
namespace fairdarts {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

using D = hn::CappedTag<float, kLanes>;
using V = hn::Vec<D>;
using DI = hn::RebindToSigned<D>;
using DB = hn::Rebind<uint8_t, D>;
constexpr int kPart = static_cast<int>(hn::MaxLanes(D()));

template <int kStride>
void MaxPoolOf(const LanePoolArguments& a) {
  const D d;
  const DI di;
  const DB db;
  const int width = a.shape.out_width();
  const Window rows = InputsOf(a.y, kStride, a.shape.height);
  int64_t to = 0;
  for (int c = 0; c < a.shape.channels; ++c) {
    const float* const in =
        a.in + a.y * kStride * a.in_row + int64_t{c} * a.shape.width * kLanes;
    for (int x = 0; x < width; ++x, to += kLanes) {
      const Window columns = InputsOf(x, kStride, a.shape.width);
      for (int p = 0; p < kLanes; p += kPart) {
        const float* const centre = in + x * kStride * kLanes + p;
        V best = hn::LoadU(d, centre + (rows.begin - 1) * a.in_row +
                                  (columns.begin - 1) * kLanes);
        auto tap = hn::Set(di, 3 * rows.begin + columns.begin);
        for (int r = rows.begin; r < rows.end; ++r) {
          for (int s = columns.begin; s < columns.end; ++s) {
            const V v =
                hn::LoadU(d, centre + (r - 1) * a.in_row + (s - 1) * kLanes);
            const auto larger = hn::Or(hn::Gt(v, best), hn::IsNaN(v));
            best = hn::IfThenElse(larger, v, best);
            tap = hn::IfThenElse(hn::RebindMask(di, larger),
                                 hn::Set(di, 3 * r + s), tap);
          }
        }
        hn::StoreU(best, d, a.out + to + p);
        hn::StoreU(hn::DemoteTo(db, tap), db, a.taps + to + p);
      }
    }
  }
}

void MaxPool(const LanePoolArguments& a) {
  a.shape.stride == 1 ? MaxPoolOf<1>(a) : MaxPoolOf<2>(a);
}

template <int kStride>
void AveragePoolOf(const LanePoolArguments& a) {
  const D d;
  const int width = a.shape.out_width();
  const Window rows = InputsOf(a.y, kStride, a.shape.height);
  float* out = a.out;
  for (int c = 0; c < a.shape.channels; ++c) {
    const float* const in =
        a.in + a.y * kStride * a.in_row + int64_t{c} * a.shape.width * kLanes;
    for (int x = 0; x < width; ++x, out += kLanes) {
      const Window columns = InputsOf(x, kStride, a.shape.width);
      const V factor =
          hn::Set(d, 1.0f / static_cast<float>(Count(rows) * Count(columns)));
      for (int p = 0; p < kLanes; p += kPart) {
        const float* const centre = in + x * kStride * kLanes + p;
        V sum = hn::Zero(d);
        for (int r = rows.begin; r < rows.end; ++r) {
          for (int s = columns.begin; s < columns.end; ++s) {
            sum = hn::Add(sum, hn::LoadU(d, centre + (r - 1) * a.in_row +
                                                (s - 1) * kLanes));
          }
        }
        hn::StoreU(hn::Mul(sum, factor), d, out + p);
      }
    }
  }
}

void AveragePool(const LanePoolArguments& a) {
  a.shape.stride == 1 ? AveragePoolOf<1>(a) : AveragePoolOf<2>(a);
}

// Adds to every pixel of a row what add(sum, index, count, tap) makes of the
// windows that hold it as their tap; index is that of the window in `dout`,
// count the number of its pixels.
template <int kStride, typename Add>
HWY_INLINE void GatherWindows(const LanePoolGradientArguments& a,
                              const Add& add) {
  const D d;
  const int out_height = a.shape.out_height();
  const int out_width = a.shape.out_width();
  // The windows' rows and columns that reach row y and column x as offset
  // r: window * kStride + r - 1 == y.
  struct Reach {
    int window;
    int tap;
    int count;
  };
  const auto reach = [](int at, int windows, int size, Reach(&found)[3]) {
    int n = 0;
    for (int tap = 0; tap < 3; ++tap) {
      const int first = at + 1 - tap;
      if (first < 0 || first % kStride != 0 || first / kStride >= windows) {
        continue;
      }
      found[n++] = {first / kStride, tap,
                    Count(InputsOf(first / kStride, kStride, size))};
    }
    return n;
  };
  Reach rows[3];
  const int row_count = reach(a.y, out_height, a.shape.height, rows);
  for (int x = 0; x < a.shape.width; ++x) {
    Reach columns[3];
    const int column_count = reach(x, out_width, a.shape.width, columns);
    for (int c = 0; c < a.shape.channels; ++c) {
      float* const din = a.din + (int64_t{c} * a.shape.width + x) * kLanes;
      for (int p = 0; p < kLanes; p += kPart) {
        V sum = hn::LoadU(d, din + p);
        for (int r = 0; r < row_count; ++r) {
          const int64_t row =
              rows[r].window * a.dout_row + int64_t{c} * out_width * kLanes + p;
          for (int s = 0; s < column_count; ++s) {
            sum = add(sum, row + columns[s].window * kLanes,
                      rows[r].count * columns[s].count,
                      3 * rows[r].tap + columns[s].tap);
          }
        }
        hn::StoreU(sum, d, din + p);
      }
    }
  }
}

template <int kStride>
void MaxPoolGradientOf(const LanePoolGradientArguments& a) {
  const D d;
  const DI di;
  const DB db;
  GatherWindows<kStride>(a, [&](V sum, int64_t i, int, int tap) HWY_ATTR {
    const auto taken = hn::RebindMask(
        d,
        hn::Eq(hn::PromoteTo(di, hn::LoadU(db, a.taps + i)), hn::Set(di, tap)));
    return hn::Add(sum, hn::IfThenElseZero(taken, hn::LoadU(d, a.dout + i)));
  });
}

void MaxPoolGradient(const LanePoolGradientArguments& a) {
  a.shape.stride == 1 ? MaxPoolGradientOf<1>(a) : MaxPoolGradientOf<2>(a);
}

template <int kStride>
void AveragePoolGradientOf(const LanePoolGradientArguments& a) {
  const D d;
  float factors[10];
  for (int count = 1; count < 10; ++count) {
    factors[count] = 1.0f / static_cast<float>(count);
  }
  GatherWindows<kStride>(a, [&](V sum, int64_t i, int count, int) HWY_ATTR {
    return hn::MulAdd(hn::Set(d, factors[count]), hn::LoadU(d, a.dout + i),
                      sum);
  });
}

void AveragePoolGradient(const LanePoolGradientArguments& a) {
  a.shape.stride == 1 ? AveragePoolGradientOf<1>(a)
                      : AveragePoolGradientOf<2>(a);
}

#endif  // HWY_TARGET != HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace fairdarts
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <cmath>

#include "ops/kernels/select_isa.h"

namespace fairdarts {
namespace {

// Calls visit(out_index, in_index, tap, count) for every tap of every window
// inside of the image, window after window; in_index within a tensor whose rows
// are in_row apart.
template <typename Visit>
void ForEachTap(const LanePoolShape& s, int y, int64_t in_row,
                const Visit& visit) {
  const Window rows = InputsOf(y, s.stride, s.height);
  for (int c = 0; c < s.channels; ++c) {
    for (int x = 0; x < s.out_width(); ++x) {
      const Window columns = InputsOf(x, s.stride, s.width);
      for (int r = rows.begin; r < rows.end; ++r) {
        for (int t = columns.begin; t < columns.end; ++t) {
          for (int lane = 0; lane < kLanes; ++lane) {
            const int64_t column = int64_t{c} * s.width + x * s.stride + t - 1;
            visit((int64_t{c} * s.out_width() + x) * kLanes + lane,
                  (y * s.stride + r - 1) * in_row + column * kLanes + lane,
                  3 * r + t, Count(rows) * Count(columns));
          }
        }
      }
    }
  }
}

void MaxPoolReference(const LanePoolArguments& a) {
  std::fill_n(a.taps, a.shape.channels * a.shape.out_width() * kLanes,
              uint8_t{255});
  ForEachTap(a.shape, a.y, a.in_row,
             [&](int64_t out, int64_t in, int tap, int) {
               if (a.taps[out] == 255 || a.in[in] > a.out[out] ||
                   std::isnan(a.in[in])) {
                 a.out[out] = a.in[in];
                 a.taps[out] = static_cast<uint8_t>(tap);
               }
             });
}

void AveragePoolReference(const LanePoolArguments& a) {
  std::fill_n(a.out, a.shape.channels * a.shape.out_width() * kLanes, 0.0f);
  ForEachTap(a.shape, a.y, a.in_row,
             [&](int64_t out, int64_t in, int, int count) {
               a.out[out] += a.in[in] / static_cast<float>(count);
             });
}

template <bool kMax>
void GradientReference(const LanePoolGradientArguments& a) {
  const int64_t in_row = int64_t{a.shape.channels} * a.shape.width * kLanes;
  for (int y = 0; y < a.shape.out_height(); ++y) {
    ForEachTap(
        a.shape, y, in_row, [&](int64_t out, int64_t in, int tap, int count) {
          if (in / in_row != a.y) return;
          const int64_t from = y * a.dout_row + out;
          if (kMax && a.taps[from] != tap) return;
          a.din[in % in_row] +=
              kMax ? a.dout[from] : a.dout[from] / static_cast<float>(count);
        });
  }
}

}  // namespace

LanePoolFunction LaneMaxPoolFor(Isa isa) {
  FD_RETURN_ISA(isa, MaxPool, MaxPoolReference);
}

LanePoolFunction LaneAveragePoolFor(Isa isa) {
  FD_RETURN_ISA(isa, AveragePool, AveragePoolReference);
}

LanePoolGradientFunction LaneMaxPoolGradientFor(Isa isa) {
  FD_RETURN_ISA(isa, MaxPoolGradient, GradientReference<true>);
}

LanePoolGradientFunction LaneAveragePoolGradientFor(Isa isa) {
  FD_RETURN_ISA(isa, AveragePoolGradient, GradientReference<false>);
}

}  // namespace fairdarts

#endif  // HWY_ONCE
