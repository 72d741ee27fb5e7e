#include "ops/kernels/peak/fma_peak.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/kernels/peak/fma_peak.cc"
#include "hwy/foreach_target.h"
// The line before has to come first.
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace fairdarts {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

// `rounds` times as many operations as it returns; `sink` keeps them alive.
int64_t Multiply(int rounds, float* sink) {
  // More than latency times units of any machine, and fewer than registers.
  constexpr int kChains = 12;
  const hn::CappedTag<float, kPlaneSlack> d;
  const auto factor = hn::Set(d, sink[0]);
  const auto term = hn::Set(d, sink[1]);
  decltype(hn::Zero(d)) sums[kChains];
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) sums[i] = hn::Set(d, sink[2] + i);
  for (int r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) {
      sums[i] = hn::MulAdd(sums[i], factor, term);
    }
  }
  auto total = sums[0];
#pragma GCC unroll 16
  for (int i = 1; i < kChains; ++i) total = hn::Add(total, sums[i]);
  sink[3] = hn::GetLane(total);
  return 2 * kChains * static_cast<int64_t>(hn::Lanes(d));
}

#endif  // HWY_TARGET != HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace fairdarts
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <algorithm>
#include <chrono>

#include "ops/kernels/select_isa.h"

namespace fairdarts {
namespace {

using MultiplyFunction = int64_t (*)(int, float*);

MultiplyFunction MultiplyFor(Isa isa) { FD_RETURN_ISA(isa, Multiply, nullptr); }

}  // namespace

double MeasureFmaPeak(Isa isa) {
  const MultiplyFunction multiply = MultiplyFor(isa);
  if (multiply == nullptr) return 0;
  constexpr int kRounds = 1000000;
  constexpr int kTries = 9;
  float sink[4] = {0.5f, 0.25f, 1, 0};
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const double operations =
        static_cast<double>(multiply(kRounds, sink)) * kRounds;
    const std::chrono::duration<double> seconds =
        std::chrono::steady_clock::now() - begin;
    best = std::max(best, operations / seconds.count());
  }
  return best;
}

}  // namespace fairdarts

#endif  // HWY_ONCE
