#include "ops/kernels/gather/gather.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/kernels/gather/gather.cc"
#include "hwy/foreach_target.h"
// The line before has to come first.
#include "hwy/highway.h"

#ifndef OPS_KERNELS_GATHER_ROWS_
#define OPS_KERNELS_GATHER_ROWS_

#include <algorithm>

namespace fairdarts {
namespace {

// What one tap of the kernel reads: out[x] = in[x * stride + offset] where that
// lies in [0, width), which are the x of [begin, end), else 0.
struct Tap {
  int offset;
  int begin;
  int end;
};

inline Tap TapOf(const GatherArguments& a, int s) {
  const int stride = a.stride_width;
  const int offset = s * a.dilation - a.pad_left;
  const int begin =
      std::min(a.out_width, offset >= 0 ? 0 : (stride - 1 - offset) / stride);
  const int behind =
      a.width > offset ? (a.width - offset + stride - 1) / stride : 0;
  return {offset, begin, std::max(begin, std::min(a.out_width, behind))};
}

// Every row of every plane, by `copy(in, tap, out)`, which writes those of
// [begin, end).
template <typename Copy>
inline void ForEachRow(const GatherArguments& a, const Copy& copy) {
  float* plane = a.out;
  for (int c = 0; c < a.channels; ++c) {
    const float* const in = a.in + c * a.in_stride;
    for (int r = 0; r < a.kernel_height; ++r) {
      for (int s = 0; s < a.kernel_width; ++s) {
        const Tap tap = TapOf(a, s);
        float* out = plane;
        for (int y = 0; y < a.rows; ++y) {
          const int row =
              (a.first_row + y) * a.stride_height + r * a.dilation - a.pad_top;
          if (row < 0 || row >= a.height) {
            std::fill_n(out, a.out_width, 0.0f);
          } else {
            for (int x = 0; x < tap.begin; ++x) out[x] = 0;
            copy(in + int64_t{row} * a.width, tap, out);
            for (int x = tap.end; x < a.out_width; ++x) out[x] = 0;
          }
          out += a.out_width;
        }
        plane += a.out_stride;
      }
    }
  }
}

}  // namespace
}  // namespace fairdarts

#endif  // OPS_KERNELS_GATHER_ROWS_

HWY_BEFORE_NAMESPACE();
namespace fairdarts {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

// Nothing is read outside of a row: the caller's images have no slack. Each of
// the two copies as many whole vectors as there are, the last one over some of
// the one before if need be, and returns where to go on.
template <class D>
HWY_INLINE int CopyVectors(D d, const float* HWY_RESTRICT in, int x, int end,
                           float* HWY_RESTRICT out) {
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
  if (end - x < kLanes) return x;
  for (; x + kLanes <= end; x += kLanes) {
    hn::StoreU(hn::LoadU(d, in + x), d, out + x);
  }
  hn::StoreU(hn::LoadU(d, in + end - kLanes), d, out + end - kLanes);
  return end;
}

// The first or the second of each pair, as far as there are `pairs`.
template <class D>
HWY_INLINE int CopyEveryOther(D d, const float* HWY_RESTRICT in, bool second,
                              int pairs, int x, int end,
                              float* HWY_RESTRICT out) {
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
  const auto copy = [&](int at) HWY_ATTR {
    const auto low = hn::LoadU(d, in + 2 * at);
    const auto high = hn::LoadU(d, in + 2 * at + kLanes);
    hn::StoreU(
        second ? hn::ConcatOdd(d, high, low) : hn::ConcatEven(d, high, low), d,
        out + at);
  };
  const int begin = x;
  for (; x + kLanes <= std::min(end, pairs); x += kLanes) copy(x);
  if (x < end && end <= pairs && end - kLanes >= begin) {
    copy(end - kLanes);
    return end;
  }
  return x;
}

void Gather(const GatherArguments& a) {
  const hn::CappedTag<float, 8> wide;
  const hn::CappedTag<float, 4> narrow;
  if (a.stride_width == 1) {
    ForEachRow(a, [&](const float* in, const Tap& tap, float* out) HWY_ATTR {
      in += tap.offset;
      int x = CopyVectors(wide, in, tap.begin, tap.end, out);
      x = CopyVectors(narrow, in, x, tap.end, out);
      for (; x < tap.end; ++x) out[x] = in[x];
    });
    return;
  }
  ForEachRow(a, [&](const float* in, const Tap& tap, float* out) HWY_ATTR {
    const bool second = tap.offset % 2 != 0;
    const int skipped = tap.offset - second;  // even
    in += skipped;
    const int pairs = (a.width - skipped) / 2;
    int x = tap.begin;
    // The first pair may begin before the row.
    if (x < tap.end && 2 * x + skipped < 0) {
      out[x] = in[2 * x + second];
      ++x;
    }
    x = CopyEveryOther(wide, in, second, pairs, x, tap.end, out);
    x = CopyEveryOther(narrow, in, second, pairs, x, tap.end, out);
    for (; x < tap.end; ++x) out[x] = in[2 * x + second];
  });
}

#endif  // HWY_TARGET != HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace fairdarts
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include "ops/kernels/select_isa.h"

namespace fairdarts {
namespace {

void GatherReference(const GatherArguments& a) {
  ForEachRow(a, [&](const float* in, const Tap& tap, float* out) {
    for (int x = tap.begin; x < tap.end; ++x) {
      out[x] = in[x * a.stride_width + tap.offset];
    }
  });
}

}  // namespace

GatherFunction GatherFor(Isa isa) {
  FD_RETURN_ISA(isa, Gather, GatherReference);
}

}  // namespace fairdarts

#endif  // HWY_ONCE
