#include "training/data/pixel_rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "training/data/pixel_rows.cc"
#include "hwy/foreach_target.h"
// The line before has to come first.
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace fairdarts {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

template <bool kMirror, bool kKeep>
void Convert(const PixelRows& a) {
  const hn::CappedTag<float, kMinVectorWidth> d;
  const hn::RebindToSigned<decltype(d)> d_int;
  const hn::RebindToUnsigned<decltype(d)> d_mask;
  const hn::Rebind<uint8_t, decltype(d)> d_byte;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const auto scale = hn::Set(d, a.scale);
  const auto offset = hn::Set(d, a.offset);
  for (int y = 0; y < a.rows; ++y) {
    const uint8_t* const in = a.in + y * a.in_stride;
    float* const out = a.out + int64_t{y} * a.width;
    const auto block = [&](int x) HWY_ATTR {
      const uint8_t* const from = kMirror ? in + a.width - lanes - x : in + x;
      const auto bytes = hn::LoadU(d_byte, from);
      auto value = hn::ConvertTo(d, hn::PromoteTo(d_int, bytes));
      if (kMirror) value = hn::Reverse(d, value);
      const auto inside = hn::LoadU(d_mask, a.inside + x);
      value = hn::And(value, hn::BitCast(d, inside));
      value = hn::Add(hn::Mul(value, scale), offset);
      if (kKeep) {
        const auto keep = hn::LoadU(d_mask, a.keep + x);
        value = hn::And(value, hn::BitCast(d, keep));
      }
      hn::StoreU(value, d, out + x);
    };
    int x = 0;
    for (; x + lanes <= a.width; x += lanes) block(x);
    if (x < a.width) block(a.width - lanes);
  }
}

void ConvertRows(const PixelRows& a) {
  if (a.mirror) {
    a.keep == nullptr ? Convert<true, false>(a) : Convert<true, true>(a);
  } else {
    a.keep == nullptr ? Convert<false, false>(a) : Convert<false, true>(a);
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

void ConvertRowsReference(const PixelRows& a) {
  for (int y = 0; y < a.rows; ++y) {
    const uint8_t* const in = a.in + y * a.in_stride;
    float* const out = a.out + int64_t{y} * a.width;
    for (int x = 0; x < a.width; ++x) {
      const int from = a.mirror ? a.width - 1 - x : x;
      const auto value = static_cast<float>(a.inside[x] != 0 ? in[from] : 0);
      const bool keep = a.keep == nullptr || a.keep[x] != 0;
      out[x] = keep ? value * a.scale + a.offset : 0.0f;
    }
  }
}

}  // namespace

PixelRowsFunction PixelRowsFor(Isa isa) {
  FD_RETURN_ISA(isa, ConvertRows, ConvertRowsReference);
}

}  // namespace fairdarts

#endif  // HWY_ONCE
