#include "ops/kernels/elementwise/add_scaled.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/kernels/elementwise/add_scaled.cc"
#include "hwy/foreach_target.h"
// The line before has to come first.
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace fairdarts {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

void AddScaled(const AddScaledArguments& a) {
  const hn::CappedTag<float, kPlaneSlack> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const auto scale = hn::Set(d, a.scale);
  for (int c = 0; c < a.channels; ++c) {
    const float* const in = a.in + c * a.in_stride;
    float* const out = a.out + c * a.out_stride;
    for (int p = 0; p < a.pixels; p += lanes) {
      const auto old = a.accumulate ? hn::LoadU(d, out + p) : hn::Zero(d);
      hn::StoreU(hn::MulAdd(scale, hn::LoadU(d, in + p), old), d, out + p);
    }
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

void AddScaledReference(const AddScaledArguments& a) {
  for (int c = 0; c < a.channels; ++c) {
    const float* const in = a.in + c * a.in_stride;
    float* const out = a.out + c * a.out_stride;
    for (int p = 0; p < a.pixels; ++p) {
      out[p] = (a.accumulate ? out[p] : 0) + a.scale * in[p];
    }
  }
}

}  // namespace

AddScaledFunction AddScaledFor(Isa isa) {
  FD_RETURN_ISA(isa, AddScaled, AddScaledReference);
}

}  // namespace fairdarts

#endif  // HWY_ONCE
