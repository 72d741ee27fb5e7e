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

// Nothing is read outside of a row: the caller's images have no slack.
void Gather(const GatherArguments& a) {
  const hn::CappedTag<float, 8> d;
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(d));
  const int width = a.width;
  if (a.stride_width == 1) {
    ForEachRow(a, [&](const float* in, const Tap& tap, float* out) HWY_ATTR {
      in += tap.offset;
      int x = tap.begin;
      for (; x + kLanes <= tap.end; x += kLanes) {
        hn::StoreU(hn::LoadU(d, in + x), d, out + x);
      }
      for (; x < tap.end; ++x) out[x] = in[x];
    });
    return;
  }
  ForEachRow(a, [&](const float* in, const Tap& tap, float* out) HWY_ATTR {
    // Pairs of columns, of which it wants the even or the odd ones.
    const bool odd = tap.offset % 2 != 0;
    const float* const pairs = in + tap.offset - odd;
    int x = tap.begin;
    // The first pair may begin before the row.
    if (x < tap.end && 2 * x + tap.offset - odd < 0) {
      out[x] = pairs[2 * x + odd];
      ++x;
    }
    for (;
         x + kLanes <= tap.end && 2 * (x + kLanes) + tap.offset - odd <= width;
         x += kLanes) {
      const auto low = hn::LoadU(d, pairs + 2 * x);
      const auto high = hn::LoadU(d, pairs + 2 * x + kLanes);
      hn::StoreU(
          odd ? hn::ConcatOdd(d, high, low) : hn::ConcatEven(d, high, low), d,
          out + x);
    }
    for (; x < tap.end; ++x) out[x] = pairs[2 * x + odd];
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
